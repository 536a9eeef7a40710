//! What the user wrote, read and validated: `project.toml`, every `function.json`, environments and stages. No network.

pub mod apex;
mod api_timeout;
mod architecture;
mod check;
mod configuration;
mod derivative;
mod document;
mod dotenv;
mod edit;
mod edit_manifest;
mod environment;
mod format;
mod function_file;
mod interpreter;
mod load;
mod loaded_function;
mod manifest;
mod media_type;
mod name;
mod names;
mod permission;
mod problem;
mod rate;
mod reference;
mod region;
mod resolve;
mod route;
mod routes;
mod runtime;
mod schema;
mod secret;
mod server;
mod settings;
mod shape;
mod suggest;
mod tags;
mod text;
mod validate;
mod written;
mod zip_source;

pub use architecture::Architecture;
pub use configuration::FunctionConfiguration;
pub use derivative::{
    DERIVATIVES, DerivativeId, DerivativeSettings, PYPROJECT, REQUIREMENTS, takes_derivatives,
};
pub use edit::set_key;
pub use edit_manifest::pin_derivative;
pub use environment::{Assignment, InvalidAssignment, Overrides, PIPED, environment_size, left_out};
pub use interpreter::Interpreter;
pub use load::PROJECT_FILE;
pub use media_type::{InvalidMediaType, MediaType};
pub use name::{
    AccountId, ApiId, DerivativeName, FunctionName, InvalidName, KeyName, ProjectName, StageName,
};
pub use names::Names;
pub use permission::Permissions;
pub use problem::{Place, Problem, Problems};
pub use rate::{InvalidRate, Rate};
pub use reference::{Reference, Referred};
pub use region::partition;
pub use route::{InvalidRoute, Method, Route};
pub use runtime::replacement_of_closed_runtime;
pub use schema::{SchemaKind, reference, schema};
pub use secret::{FINGERPRINT_PREFIX, Secret};
pub(crate) use server::ends_as_arn;
pub use server::{Base, Container, Entry, Hosting, ServerSecret, ServerSettings, TaskSize, Tasks};
pub use settings::{
    ApiSettings, Artifacts, FunctionSettings, Period, Quota, RouteSettings, Security, Settings, Throttle,
    Tracing, Vpc, Warm,
};
pub use suggest::nearest;
pub use tags::Tags;
pub use written::Project;
pub use zip_source::{HttpsAddress, InvalidZipSource, ZipSource};

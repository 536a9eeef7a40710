//! What a container of a hosted stage is told: `stack.json`, which is in its image, and `MDO_STAGE`, which is a stage's own. Whoever
//! writes them and the server that reads them share these types.

mod outgoing;
mod reading;
mod stack;
mod stage;

pub use outgoing::{Blob, Content, Outgoing, tag_of};
pub use reading::Unreadable;
pub use stack::{FrozenFunction, FrozenRoute, FrozenStack};
pub use stage::{FrozenKey, FrozenStage, TooLarge};

/// The format of both documents. A change that an older server program would misread makes it another one.
pub const FORMAT: u32 = 1;

/// Where a server finds [`FrozenStack`] when it is not told.
pub const STACK_FILE: &str = "/stack.json";

/// The environment variable that holds [`FrozenStage`].
pub const STAGE_VARIABLE: &str = "MDO_STAGE";

/// Where an image has the code of its functions, a folder for each.
pub const CODE_FOLDER: &str = "/srv";

/// The only folder of a container that can be written to.
pub const TEMPORARY_FOLDER: &str = "/tmp";

/// How a container starts its server: on every address of the container.
pub const ENTRYPOINT: [&str; 4] = ["/mdo-server", "--listen", "0.0.0.0", STACK_FILE];

/// The port of a server when `PORT` does not say.
pub const PORT: u16 = 8080;

/// Where a server says how it is. It is outside of every stage, because the name of a stage begins with a letter.
pub const HEALTH_PATH: &str = "/-/health";

/// What a server leaves of its task's memory to itself, in MB: functions have the rest.
pub const OWN_MEMORY: u32 = 64;

/// The largest `MDO_STAGE`, in bytes: ECS bounds a whole task definition by as much.
pub const MOST_BYTES: usize = 64 * 1024;

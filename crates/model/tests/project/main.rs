//! What mdo makes of a project's files: every rule with the exact words that the user reads.

mod apex;
mod bounds;
mod derivatives;
mod editing;
mod environment;
mod fuzz;
mod given;
mod hosting;
mod loading;
mod names;
mod permissions;
mod references;
mod routes;
mod schema;
mod server;
mod stages;
mod tags;

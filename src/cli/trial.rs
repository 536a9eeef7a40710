//! An image on this machine: started as a task of ECS is, asked how it is and for one route, and served until it is told to end.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mdo_model::Sha256;
use mdo_model::hosted::{FrozenKey, PORT, STAGE_VARIABLE};
use mdo_model::project::{Container, Method, Project, Route, Secret, Security, Settings};
use mdo_model::stack::{self, ApiRoute, DEFAULT_KEY, Server};
use mdo_package::image::{Image, write_archive};
use mdo_package::{Bytes as Size, OwnFolder};
use tempfile::TempDir;

use super::abandoned::Waiting;
use super::deploy::best_route;
use super::engine::{Engine, Purpose, Talking};
use super::hosting::any_image;
use super::interrupt::Interrupt;
use crate::output::{self, Failure, exit_code};

/// How long a container may take until it says that it is well.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How long a route may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// How long a container may take to end, in seconds.
const ENDS_WITHIN: &str = "10";

/// How an image is tried.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// The port on this machine; the system picks one where none is asked for.
    pub port: Option<u16>,
    /// Whether it ends once the answers are there.
    pub ends: bool,
}

/// What is tried.
struct Trial<'a> {
    settings: &'a Settings,
    /// The image; `None` for one that the engine fetches by its name.
    image: Option<Image>,
    /// What the engine calls it.
    name: String,
    how: How,
}

/// Whether a stage runs an image of one's own instead of the functions.
pub(super) fn is_of_ones_own(settings: &Settings) -> bool {
    let container = settings.server.as_ref().map(|server| &server.container);
    matches!(container, Some(Container::Dockerfile { .. } | Container::Image { .. }))
}

/// Runs the image of a stage, asks it, and serves it.
///
/// # Errors
/// When it cannot be made, when there is no engine, when the container does not come up, and when the route answers with an error of
/// the server.
pub(super) async fn run(
    project: &Project,
    settings: &Settings,
    server: Option<&Path>,
    how: How,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let (image, name) = match settings.server.as_ref().map(|server| &server.container) {
        Some(Container::Image { reference, .. }) => (None, reference.clone()),
        _ => {
            let image = any_image(project, settings, server).await?;
            let name = format!("{}:{}", settings.names().repository(), image.tag());
            (Some(image), name)
        }
    };
    Trial { settings, image, name, how }.run(interrupt).await
}

/// A container that runs. It ends with this value, however that goes.
struct Running {
    engine: Engine,
    name: String,
    talking: Talking,
}

impl Trial<'_> {
    async fn run(self, interrupt: &Interrupt) -> Result<(), Failure> {
        let (how, settings) = (self.how, self.settings);
        let server = stack::hosted(settings, "").and_then(|stack| stack.server);
        let server = server.ok_or_else(|| anyhow::anyhow!("a hosted stage has a server"))?;
        let value = server.keys.first().map(|_| made_up_key());
        let stage = self.stage_document(&server, value.as_ref())?;
        let port = how.port.map_or_else(free_port, Ok)?;
        let began = Instant::now();
        interrupt.begin("ending: stopping the container");
        let mut running = self.start(port, stage).await?;
        let base = format!("http://127.0.0.1:{port}");
        until_well(&mut running, &format!("{base}{}", server.health), interrupt).await?;
        output::data(&format!("  health  200 after {:.1} s\n", began.elapsed().as_secs_f64()));
        let url = format!("{base}/{}", settings.stage);
        let best = best_route(&server.definition).filter(|(route, _)| can_be_asked(route));
        if let Some((route, target)) = best {
            ask(&format!("{url}{}", route.path()), target, value.as_ref(), &running).await?;
        }
        if how.ends {
            return running.end().await;
        }
        output::data(&format!("\nServing {} until Ctrl-C.\n", if best.is_some() { &url } else { &base }));
        if let Some((route, target)) = best {
            let key = value.as_ref().filter(|_| target.security == Security::Key);
            let key = key.map(|key| format!("-H 'x-api-key: {key}' ")).unwrap_or_default();
            output::data(&format!("  try   curl {key}{url}{}\n", route.path()));
        }
        while !interrupt.token.is_cancelled() {
            if running.has_ended()? {
                return Err(running.failed("the container ended by itself"));
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, interrupt.token.cancelled()).await;
        }
        running.end().await
    }

    /// What the stage adds to its image, with a key that is good for this run alone.
    fn stage_document(&self, server: &Server, key: Option<&String>) -> Result<Option<Secret>, Failure> {
        let own = self.settings.server.as_ref().map(|server| &server.container);
        if !matches!(own, Some(Container::Functions { .. })) {
            return Ok(None);
        }
        let frozen =
            |value: &String| FrozenKey { id: DEFAULT_KEY.to_owned(), sha256: Sha256::of(value.as_bytes()) };
        let keys = server.keys.iter().zip(key).map(|(name, value)| (name.clone(), frozen(value)));
        let mut document = server.stage_document(&self.settings.stage, keys.collect());
        // No load balancer has to notice that it goes, and nobody is here to put secrets in.
        document.lame_duck = 0;
        document.secrets.clear();
        for (name, function) in &self.settings.functions {
            if let Some(environment) = document.environment.get_mut(name) {
                environment.retain(|variable, _| !function.referred.contains_key(variable));
            }
        }
        let text = document.to_json();
        text.map(Some).map_err(|error| Failure::new(exit_code::USAGE, error.to_string()))
    }

    async fn start(self, port: u16, stage: Option<Secret>) -> Result<Running, Failure> {
        let waiting = Waiting::default();
        let abandoned = waiting.abandoned();
        let (root, image, name) = (self.settings.root.clone(), self.image, self.name);
        let project = self.settings.project.clone();
        let is_ours = stage.is_some();
        let starting = move || {
            let engine = Engine::find(Purpose::Run)?;
            if let Some(image) = &image {
                let folder = OwnFolder::of(&root).folder("images")?;
                let place = TempDir::new_in(&folder).map_err(anyhow::Error::from)?;
                let archive = place.path().join("image.tar");
                write_archive(image, &name, &archive)?;
                engine.finish(engine.command("load").arg("--input").arg(&archive), &abandoned)?;
            }
            let own = format!("mdo-{project}-{port}");
            let mut run = engine.command_with_options("run");
            run.args(["--rm", "--name", &own]);
            if is_ours {
                // What an image of one's own needs is not known.
                run.args(["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]);
            }
            run.args(["--publish", &format!("127.0.0.1:{port}:{PORT}"), "--env", &format!("PORT={PORT}")]);
            if let Some(stage) = &stage {
                // Its value is in the environment of the engine, for command lines can be read by others.
                run.args(["--env", STAGE_VARIABLE]).env(STAGE_VARIABLE, stage.reveal());
            }
            let talking = engine.begin(run.arg(&name))?;
            Ok::<_, Failure>(Running { engine, name: own, talking })
        };
        tokio::task::spawn_blocking(starting).await.map_err(anyhow::Error::from)?
    }
}

/// How often it is looked whether a container still runs.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Running {
    fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(self.talking.child.try_wait().map_err(anyhow::Error::from)?.is_some())
    }

    fn failed(&self, what: &str) -> Failure {
        let last = self.talking.last_lines().pop();
        let message = last.map_or_else(|| what.to_owned(), |last| format!("{what}; its last line: {last}"));
        Failure::with_help(exit_code::FAILED, message, "its log stands above")
    }

    /// Stops it as ECS does, and waits until it is gone.
    async fn end(mut self) -> Result<(), Failure> {
        let ending = move || {
            let _ = self.engine.command("stop").args(["--time", ENDS_WITHIN, &self.name]).output();
            let _ = self.talking.child.wait();
        };
        tokio::task::spawn_blocking(ending).await.map_err(anyhow::Error::from)?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.talking.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let _ = self.engine.command("rm").args(["--force", &self.name]).output();
        let _ = self.talking.child.wait();
    }
}

/// Asks a container how it is until it is well.
async fn until_well(running: &mut Running, url: &str, interrupt: &Interrupt) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        if running.has_ended()? {
            return Err(running.failed("the container did not start"));
        }
        if interrupt.token.is_cancelled() {
            return Err(Failure::new(exit_code::INTERRUPTED, "interrupted"));
        }
        let answer = tokio::time::timeout(Duration::from_secs(2), get(url, None)).await;
        if matches!(answer, Ok(Ok((200, _)))) {
            return Ok(());
        }
        if began.elapsed() > STARTS_WITHIN {
            let what = format!("the container does not answer {url} after {} s", STARTS_WITHIN.as_secs());
            return Err(running.failed(&what));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether a route can be asked for as it stands.
fn can_be_asked(route: &Route) -> bool {
    matches!(route.method(), Method::Get | Method::Any) && !route.path().contains('{')
}

/// Asks for a route, and says what came.
async fn ask(url: &str, target: &ApiRoute, key: Option<&String>, running: &Running) -> Result<(), Failure> {
    let key = key.filter(|_| target.security == Security::Key);
    let began = Instant::now();
    let answer = tokio::time::timeout(ANSWERS_WITHIN, get(url, key)).await;
    let (status, length) = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(running.failed(&format!("{url} cannot be asked: {error}"))),
        Err(_) => return Err(running.failed(&format!("{url} does not answer"))),
    };
    let took = began.elapsed().as_millis();
    output::data(&format!("  GET     {url}  {status}, {}, {took} ms\n", Size(length)));
    if status >= 500 {
        return Err(running.failed(&format!("{url} answers {status}")));
    }
    Ok(())
}

/// The status and the size of an answer.
async fn get(url: &str, key: Option<&String>) -> anyhow::Result<(u16, u64)> {
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = hyper::Request::get(url);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let answer = client.request(request.body(Empty::new())?).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, body.len() as u64))
}

/// A key for one run.
fn made_up_key() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), DEFAULT_KEY)
}

fn free_port() -> Result<u16, Failure> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    Ok(port.map_err(anyhow::Error::from)?.port())
}

//! The bootstrap: takes events from Lambda's Runtime API and answers them, one at a time.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use sample_producer::environment::Environment;
use sample_producer::handler::answer;
use serde_json::Value;

fn main() -> Result<(), Error> {
    let environment = &Environment::of_process();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(service_fn(|event: LambdaEvent<Value>| async move {
        Ok::<_, Error>(answer(&event.payload, environment))
    })))
}

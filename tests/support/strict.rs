//! Rules of AWS that the emulators do not keep: a function refuses an update while it is pending or being updated, and what is
//! there once cannot be made a second time.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::operations::Operation;
use super::proxy::Fault;

#[derive(Clone, Copy, PartialEq)]
enum Since {
    Created,
    Updated,
}

/// What there can be one of, by the requests that have made it.
#[derive(Default)]
pub struct Unique {
    refusals: Vec<(String, Fault)>,
    made: HashSet<(String, Vec<u8>)>,
}

impl Unique {
    /// From now on an operation with the same body as one that has succeeded is refused so.
    pub fn refuse(&mut self, operation: &str, fault: Fault) {
        self.refusals.push((operation.to_owned(), fault));
    }

    /// The refusal of a call that AWS would refuse now.
    pub fn refuses(&self, operation: &Operation, body: &[u8]) -> Option<Fault> {
        let (_, fault) = self.refusals.iter().find(|(name, _)| *name == operation.name)?;
        self.made.contains(&(operation.name.clone(), body.to_vec())).then(|| fault.clone())
    }

    /// Takes note of a successful call.
    pub fn answered(&mut self, operation: &Operation, body: &[u8]) {
        if self.refusals.iter().any(|(name, _)| *name == operation.name) {
            self.made.insert((operation.name.clone(), body.to_vec()));
        }
    }
}

/// Which functions are still settling, by account and name.
pub struct Settling {
    takes: Duration,
    functions: HashMap<(String, String), (Instant, Since)>,
}

impl Settling {
    /// Every creation and every update of a function settles after this long.
    pub fn new(takes: Duration) -> Settling {
        Settling { takes, functions: HashMap::new() }
    }

    /// The refusal of a call that AWS would refuse now.
    pub fn refuses(&self, operation: &Operation, path: &str) -> Option<Fault> {
        let updates = ["UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"];
        if !updates.contains(&operation.name.as_str()) {
            return None;
        }
        let name = function(path)?;
        let why = match self.state(operation, name)? {
            Since::Created => "The function is currently in the following state: Pending".to_owned(),
            Since::Updated => format!(
                "An update is in progress for resource: arn:aws:lambda:eu-west-1:{}:function:{name}",
                operation.account
            ),
        };
        let message = format!("The operation cannot be performed at this time. {why}");
        Some(Fault::error(409, "ResourceConflictException", &message))
    }

    /// Takes note of a successful call, and makes its answer say what AWS would say of a settling function.
    pub fn answered(&mut self, operation: &Operation, path: &str, body: Vec<u8>) -> Vec<u8> {
        let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else { return body };
        let name = match operation.name.as_str() {
            "CreateFunction" => answer["FunctionName"].as_str(),
            _ => function(path),
        };
        let Some(name) = name.map(str::to_owned) else { return body };
        let since = match operation.name.as_str() {
            "CreateFunction" => Some(Since::Created),
            "UpdateFunctionCode" | "UpdateFunctionConfiguration" => Some(Since::Updated),
            _ => None,
        };
        if let Some(since) = since {
            let key = (operation.account.clone(), name.clone());
            self.functions.insert(key, (Instant::now(), since));
        }
        let shown = match operation.name.as_str() {
            "GetFunction" if !qualified(path) => &mut answer["Configuration"],
            "GetFunctionConfiguration" if !qualified(path) => &mut answer,
            "CreateFunction" | "UpdateFunctionCode" | "UpdateFunctionConfiguration" => &mut answer,
            _ => return body,
        };
        match self.state(operation, &name) {
            Some(Since::Created) => {
                shown["State"] = json!("Pending");
                shown["StateReasonCode"] = json!("Creating");
            }
            Some(Since::Updated) => {
                shown["LastUpdateStatus"] = json!("InProgress");
                shown["LastUpdateStatusReasonCode"] = json!("Creating");
            }
            None => return body,
        }
        answer.to_string().into_bytes()
    }

    fn state(&self, operation: &Operation, name: &str) -> Option<Since> {
        let key = (operation.account.clone(), name.to_owned());
        let (at, since) = self.functions.get(&key)?;
        (at.elapsed() < self.takes).then_some(*since)
    }
}

/// The function's name in `/2015-03-31/functions/NAME/…`.
fn function(path: &str) -> Option<&str> {
    let path = path.split('?').next()?;
    path.trim_matches('/').split('/').nth(2).filter(|name| !name.is_empty())
}

fn qualified(path: &str) -> bool {
    path.contains("Qualifier=")
        && !path.contains("Qualifier=$LATEST")
        && !path.contains("Qualifier=%24LATEST")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "/2015-03-31/functions/f/code";

    fn operation(name: &str) -> Operation {
        Operation { service: "lambda".to_owned(), name: name.to_owned(), account: "111122223333".to_owned() }
    }

    #[test]
    fn a_second_update_is_refused_while_the_first_settles() {
        let mut settling = Settling::new(Duration::from_secs(3600));
        let update = operation("UpdateFunctionCode");
        assert!(settling.refuses(&update, CODE).is_none());
        let answer = settling.answered(
            &update,
            CODE,
            br#"{"FunctionName":"f","LastUpdateStatus":"Successful"}"#.into(),
        );
        assert!(String::from_utf8(answer).unwrap().contains(r#""LastUpdateStatus":"InProgress""#));
        assert!(settling.refuses(&update, CODE).is_some());
        assert!(settling.refuses(&operation("PublishVersion"), "/2015-03-31/functions/f/versions").is_some());
        assert!(settling.refuses(&update, "/2015-03-31/functions/another/code").is_none());
        assert!(settling.refuses(&operation("CreateAlias"), "/2015-03-31/functions/f/aliases").is_none());
    }

    #[test]
    fn a_settled_function_takes_the_next_update() {
        let mut settling = Settling::new(Duration::ZERO);
        let update = operation("UpdateFunctionCode");
        settling.answered(&update, CODE, br#"{"FunctionName":"f"}"#.into());
        assert!(settling.refuses(&update, CODE).is_none());
    }

    #[test]
    fn a_new_function_reads_as_pending_and_its_version_does_not() {
        let mut settling = Settling::new(Duration::from_secs(3600));
        let created = br#"{"FunctionName":"f","State":"Active"}"#;
        settling.answered(&operation("CreateFunction"), "/2015-03-31/functions", created.into());
        let body: Vec<u8> = br#"{"Configuration":{"State":"Active"}}"#.into();
        let read = operation("GetFunction");
        let latest = settling.answered(&read, "/2015-03-31/functions/f", body.clone());
        assert!(String::from_utf8(latest).unwrap().contains(r#""State":"Pending""#));
        assert_eq!(settling.answered(&read, "/2015-03-31/functions/f?Qualifier=1", body.clone()), body);
    }
}

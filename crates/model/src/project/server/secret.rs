//! The secrets of `[server]`: what ECS looks up for a variable of the containers as each task starts. Nothing is looked up here.

use std::fmt;

use super::super::format::is_arn;
use super::super::problem::Problem;
use super::super::reference::{self, Reference};
use super::super::region::partition;

/// What the ARNs of secrets and of parameters are made of.
const KINDS: [(&str, &str); 2] = [("secretsmanager", "secret:"), ("ssm", "parameter/")];

/// What names a value that ECS looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerSecret {
    /// As ECS has it: the ARN of a secret or a parameter, with the part of a secret that is meant.
    Arn(String),
    /// As the environment of functions has it.
    Kept(Reference),
}

impl ServerSecret {
    /// What a text names. Whatever is wrong with it has been said before.
    pub(super) fn read(text: &str) -> Self {
        match Reference::of(text) {
            Ok(Some(reference)) => Self::Kept(reference),
            _ => Self::Arn(text.to_owned()),
        }
    }

    /// The region that it names, if it names one.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Arn(arn) => arn.split(':').nth(3),
            Self::Kept(reference) => reference.region(),
        }
    }

    /// The same as an ARN, as ECS takes it, of servers in this region and account. A secret by name gets the ARN without the six
    /// characters that AWS adds to it, which Secrets Manager takes as well:
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>.
    #[must_use]
    pub fn located(&self, region: &str, account: &str) -> Self {
        self.located_in(partition(region), region, account)
    }

    /// The same where the partition is known, or all three are what something else fills in; none of them has a colon.
    #[must_use]
    pub fn located_in(&self, partition: &str, region: &str, account: &str) -> Self {
        let arn = match self {
            Self::Arn(arn) => arn.clone(),
            Self::Kept(reference @ Reference::Parameter(_)) => reference.arn(partition, region, account),
            Self::Kept(Reference::Managed { secret, key }) => {
                let arn = match secret.starts_with("arn:") {
                    true => secret.clone(),
                    false => format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{secret}"),
                };
                // Behind the key: a stage and an id of a version.
                key.as_ref().map_or_else(|| arn.clone(), |key| format!("{arn}:{key}::"))
            }
        };
        Self::Arn(arn)
    }
}

impl fmt::Display for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arn(arn) => f.write_str(arn),
            Self::Kept(reference) => reference.fmt(f),
        }
    }
}

/// Whether the name of a secret, or its ARN, ends as AWS lets ARNs end: in a hyphen and six characters of its own.
pub(crate) fn ends_as_arn(text: &str) -> bool {
    text.rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == 6 && end.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// What is wrong with a secret of the server. Its text is not repeated: it may be a secret itself.
pub(in crate::project) fn server_secret(text: &str) -> Option<Problem> {
    let problem = |message: &str, help: &str| Some(Problem::new(message).help(help));
    let reference = match Reference::of(text) {
        Ok(Some(reference)) => reference,
        Ok(None) if is_arn(text, &KINDS) => return of_arn(text),
        Ok(None) => {
            return problem(
                "this names neither a parameter nor a secret",
                "as in `ssm:/shop/db-password` or `secretsmanager:shop/db#password`, or the ARN of either",
            );
        }
        Err(_) => {
            return reference::check(text).map(|problem| {
                Problem::new(problem.message.replace("the value of this environment variable", "this"))
                    .help("as in `ssm:/shop/db-password` or `secretsmanager:shop/db#password`")
            });
        }
    };
    let name = reference.name();
    match &reference {
        _ if name.starts_with("arn:") && of_arn(name).is_some() => of_arn(name),
        Reference::Parameter(name) if !name.starts_with("arn:") && name.contains(':') => versioned(),
        Reference::Managed { key: Some(key), .. } if key.contains(':') => problem(
            "ECS takes no key of a secret with a colon in it",
            "give that key another name, or name the whole secret, without `#`",
        ),
        Reference::Managed { key: Some(_), secret } if is_arn(secret, &KINDS) && parts(secret) > PARTS => {
            problem(
                "this says twice which part of the secret is meant: in its ARN, and behind `#`",
                "take one of them out",
            )
        }
        Reference::Managed { secret, .. } if !secret.starts_with("arn:") && ends_as_arn(secret) => problem(
            "the name of this secret ends in a hyphen and six characters, as the ARNs of secrets do: ECS would look for another one",
            "name it by its ARN, as in `secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:db-secret-a1b2c3#password`",
        ),
        _ => None,
    }
}

/// How many parts the ARN of a secret has without what says which part of it is meant.
const PARTS: usize = 7;

fn parts(arn: &str) -> usize {
    arn.split(':').count()
}

fn of_arn(arn: &str) -> Option<Problem> {
    let service = arn.split(':').nth(2);
    if service == Some("ssm") && parts(arn) > PARTS - 1 {
        return versioned();
    }
    arn.contains('#').then(|| {
        Problem::new("the ARN of a secret has no `#` in it")
            .help("write `secretsmanager:` before it, and `#` with a key of its JSON behind it")
    })
}

/// <https://github.com/aws/containers-roadmap/issues/859>
fn versioned() -> Option<Problem> {
    Some(
        Problem::new("ECS takes no version and no label of a parameter")
            .help("name the parameter alone: every task that starts gets its latest value"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_becomes_what_ecs_takes() {
        let located = |text: &str| ServerSecret::read(text).located("cn-north-1", "123456789012").to_string();
        let here = |rest: &str| format!("arn:aws-cn:{rest}");
        assert_eq!(located("ssm:/shop/db"), here("ssm:cn-north-1:123456789012:parameter/shop/db"));
        assert_eq!(located("ssm:plain"), here("ssm:cn-north-1:123456789012:parameter/plain"));
        let secret = here("secretsmanager:cn-north-1:123456789012:secret:shop/db");
        assert_eq!(located("secretsmanager:shop/db"), secret);
        assert_eq!(located("secretsmanager:shop/db#password"), format!("{secret}:password::"));
        let whole = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3";
        assert_eq!(located(&format!("secretsmanager:{whole}#key")), format!("{whole}:key::"));
        assert_eq!(located(whole), whole);
        let sovereign = ServerSecret::read("ssm:db").located("eusc-de-east-1", "123456789012").to_string();
        assert_eq!(sovereign, "arn:aws-eusc:ssm:eusc-de-east-1:123456789012:parameter/db");
    }

    #[test]
    fn what_ecs_would_not_take_is_refused_with_the_way_out() {
        let whole = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3";
        let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/db";
        for good in [
            "ssm:/shop/db",
            "secretsmanager:shop/db#a.b",
            "secretsmanager:db-password",
            whole,
            &format!("{whole}:password::"),
            &format!("secretsmanager:{whole}#password"),
            parameter,
            &format!("ssm:{parameter}"),
        ] {
            assert!(server_secret(good).is_none(), "{good}");
        }
        for (bad, why) in [
            ("postgres://", "names neither"),
            ("literal:ssm:/x", "names neither"),
            ("ssm:", "this begins with `ssm:` and names nothing"),
            ("ssm:/shop/db:3", "no version"),
            (&format!("ssm:{parameter}:3"), "no version"),
            (&format!("{parameter}:3"), "no version"),
            ("secretsmanager:shop/db#a:b", "with a colon"),
            ("secretsmanager:db-secret", "six characters"),
            (&format!("{whole}#password"), "no `#`"),
            (&format!("secretsmanager:{whole}:user::#password"), "twice"),
        ] {
            let problem = server_secret(bad).unwrap_or_else(|| panic!("{bad} is taken"));
            assert!(problem.message.contains(why) && problem.help.is_some(), "{bad}: {problem:?}");
        }
    }
}

//! The load balancer's listeners: what answers on its ports where no stage's rule applies, and which of them has the rules.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, FixedResponseActionConfig, Listener, ProtocolEnum,
    RedirectActionConfig, RedirectActionStatusCodeEnum, Tag,
};
use futures::future::join_all;
use mdo_engine::{Cause, Error};
use mdo_model::project::{Entry, Tags};

use super::rules;
use crate::client::Aws;
use crate::{pages, written};

/// TLS 1.2 and 1.3 with forward secrecy.
pub(crate) const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// What API Gateway answers to a path that no stage has.
pub(crate) const NOT_THERE: &str = r#"{"message":"Missing Authentication Token"}"#;

/// A listener as mdo makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub port: i32,
    /// The certificate's ARN, where it speaks HTTPS.
    pub certificate: Option<String>,
    /// Whether it sends everybody on to HTTPS.
    pub redirects: bool,
}

/// The listener that has the stages' rules, and the other one, where there is one.
pub(crate) fn wanted(entry: &Entry) -> (Wanted, Option<Wanted>) {
    match entry {
        Entry::Http => (Wanted { port: 80, certificate: None, redirects: false }, None),
        Entry::Https(certificate) => (
            Wanted { port: 443, certificate: Some(certificate.clone()), redirects: false },
            Some(Wanted { port: 80, certificate: None, redirects: true }),
        ),
    }
}

/// A listener as it is; `None` for one that mdo would not make.
fn read(listener: &Listener) -> Option<Wanted> {
    let [action] = listener.default_actions() else { return None };
    let redirects = match action.r#type()? {
        ActionTypeEnum::FixedResponse => {
            let answer = action.fixed_response_config()?;
            let is_ours = answer.status_code() == Some("403")
                && answer.content_type() == Some("application/json")
                && answer.message_body() == Some(NOT_THERE);
            is_ours.then_some(false)?
        }
        ActionTypeEnum::Redirect => {
            let redirect = action.redirect_config()?;
            let is_ours = redirect.protocol() == Some("HTTPS")
                && redirect.port() == Some("443")
                && redirect.status_code() == Some(&RedirectActionStatusCodeEnum::Http301);
            is_ours.then_some(true)?
        }
        _ => return None,
    };
    let certificate = match listener.protocol()? {
        ProtocolEnum::Http => None,
        ProtocolEnum::Https if listener.ssl_policy() == Some(TLS_POLICY) => {
            Some(listener.certificates().first()?.certificate_arn()?.to_owned())
        }
        _ => return None,
    };
    Some(Wanted { port: listener.port()?, certificate, redirects })
}

/// How clients reach the load balancer; `None` for listeners that mdo would not make.
pub(super) fn entry(listeners: &[Listener]) -> Option<Entry> {
    let on = |port| listeners.iter().find(|listener| listener.port() == Some(port));
    let plain = read(on(80)?)?;
    let entry = match on(443) {
        None => Entry::Http,
        Some(secure) => Entry::Https(read(secure)?.certificate?),
    };
    let (front, other) = wanted(&entry);
    let is_whole = match other {
        None => plain == front,
        Some(other) => plain == other && read(on(443)?)? == front,
    };
    is_whole.then_some(entry)
}

/// The ARN of the listener on a port.
pub(super) fn arn_on(listeners: &[Listener], port: i32) -> Option<String> {
    listeners.iter().find(|listener| listener.port() == Some(port))?.listener_arn().map(str::to_owned)
}

/// Every listener of a load balancer.
pub(super) async fn observe(aws: &Aws, name: &str, balancer: &str) -> Result<Vec<Listener>, Error> {
    pages::all(async |position: Option<String>| {
        let answer = aws
            .call("elasticloadbalancing:DescribeListeners", name, || {
                aws.elb.describe_listeners().load_balancer_arn(balancer).set_marker(position.clone()).send()
            })
            .await?;
        Ok((answer.listeners, answer.next_marker))
    })
    .await
}

/// Makes the listeners what `entry` asks for, and answers the ARN of the one that has the stages' rules. No stage is without
/// an answer meanwhile: the rules are at the new place before they leave the old one.
pub(super) async fn put(
    aws: &Aws,
    name: &str,
    balancer: &str,
    live: &[Listener],
    (entry, own): (&Entry, &Tags),
) -> Result<String, Error> {
    let (front, other) = wanted(entry);
    if live.is_empty() {
        let other = async {
            match &other {
                Some(other) => put_one(aws, name, balancer, live, (other, own)).await.map(drop),
                None => Ok(()),
            }
        };
        let (front, ()) = written::both(put_one(aws, name, balancer, live, (&front, own)), other).await?;
        return Ok(front);
    }
    let arn = put_one(aws, name, balancer, live, (&front, own)).await?;
    let old_port = if front.port == 80 { 443 } else { 80 };
    let old = arn_on(live, old_port);
    let moved = match &old {
        Some(old) => rules::copy(aws, name, old, &arn).await?,
        None => Vec::new(),
    };
    match (other, old) {
        (Some(other), _) => {
            put_one(aws, name, balancer, live, (&other, own)).await?;
            let deleted = join_all(moved.iter().map(|rule| rules::delete(aws, name, rule))).await;
            deleted.into_iter().collect::<Result<(), _>>()?;
        }
        (None, Some(old)) => {
            let answer = aws
                .call("elasticloadbalancing:DeleteListener", name, || {
                    aws.elb.delete_listener().listener_arn(&old).send()
                })
                .await;
            if let Err(error) = answer.map(drop)
                && !error.is(&Cause::Gone)
            {
                return Err(error);
            }
        }
        (None, None) => {}
    }
    Ok(arn)
}

/// Makes one listener what it should be, and answers its ARN.
async fn put_one(
    aws: &Aws,
    name: &str,
    balancer: &str,
    live: &[Listener],
    (wanted, own): (&Wanted, &Tags),
) -> Result<String, Error> {
    let tags = own.written().into_iter();
    let tags: Vec<Tag> = tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let tags = Some(tags).filter(|tags| !tags.is_empty());
    let found = live.iter().find(|listener| listener.port() == Some(wanted.port));
    let protocol = if wanted.certificate.is_some() { ProtocolEnum::Https } else { ProtocolEnum::Http };
    let policy = wanted.certificate.as_ref().map(|_| TLS_POLICY.to_owned());
    let certificates = wanted
        .certificate
        .as_ref()
        .map(|certificate| vec![Certificate::builder().certificate_arn(certificate).build()]);
    let answer = match found {
        Some(found) if read(found).as_ref() == Some(wanted) => {
            return Ok(found.listener_arn().unwrap_or_default().to_owned());
        }
        Some(found) => aws
            .call("elasticloadbalancing:ModifyListener", name, || {
                aws.elb
                    .modify_listener()
                    .set_listener_arn(found.listener_arn().map(str::to_owned))
                    .protocol(protocol.clone())
                    .set_ssl_policy(policy.clone())
                    .set_certificates(certificates.clone())
                    .default_actions(action(wanted))
                    .send()
            })
            .await
            .map(|answer| answer.listeners),
        None => aws
            .call("elasticloadbalancing:CreateListener", name, || {
                aws.elb
                    .create_listener()
                    .load_balancer_arn(balancer)
                    .port(wanted.port)
                    .protocol(protocol.clone())
                    .set_ssl_policy(policy.clone())
                    .set_certificates(certificates.clone())
                    .default_actions(action(wanted))
                    .set_tags(tags.clone())
                    .send()
            })
            .await
            .map(|answer| answer.listeners),
    };
    match answer {
        Ok(listeners) => arn_on(&listeners.unwrap_or_default(), wanted.port)
            .ok_or_else(|| Error::new(Cause::Other, format!("AWS names no listener of load balancer {name}"))),
        // Another deploy of the project has been quicker.
        Err(error) if error.is(&Cause::Exists) => {
            let live = observe(aws, name, balancer).await?;
            arn_on(&live, wanted.port).ok_or(error)
        }
        Err(error) if error.is(&Cause::Invalid) && wanted.certificate.is_some() => Err(error.with_help(
            "name a certificate in `certificate` of [server] that AWS Certificate Manager has issued in this region",
        )),
        Err(error) => Err(error),
    }
}

fn action(wanted: &Wanted) -> Action {
    let action = Action::builder();
    match wanted.redirects {
        true => action
            .r#type(ActionTypeEnum::Redirect)
            .redirect_config(
                RedirectActionConfig::builder()
                    .protocol("HTTPS")
                    .port("443")
                    .status_code(RedirectActionStatusCodeEnum::Http301)
                    .build(),
            )
            .build(),
        false => action
            .r#type(ActionTypeEnum::FixedResponse)
            .fixed_response_config(
                FixedResponseActionConfig::builder()
                    .status_code("403")
                    .content_type("application/json")
                    .message_body(NOT_THERE)
                    .build(),
            )
            .build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(wanted: &Wanted) -> Listener {
        let listener = Listener::builder().port(wanted.port).default_actions(action(wanted));
        match &wanted.certificate {
            None => listener.protocol(ProtocolEnum::Http).build(),
            Some(arn) => listener
                .protocol(ProtocolEnum::Https)
                .ssl_policy(TLS_POLICY)
                .certificates(Certificate::builder().certificate_arn(arn).build())
                .build(),
        }
    }

    fn listeners(entry: &Entry) -> Vec<Listener> {
        let (front, other) = wanted(entry);
        std::iter::once(front).chain(other).map(|one| listener(&one)).collect()
    }

    #[test]
    fn what_mdo_makes_is_known_again() {
        for entry_wanted in [Entry::Http, Entry::Https("arn:aws:acm:eu-west-1:1:certificate/a".to_owned())] {
            assert_eq!(entry(&listeners(&entry_wanted)), Some(entry_wanted));
        }
    }

    #[test]
    fn any_other_answer_is_none_of_ours() {
        let secure = Entry::Https("arn".to_owned());
        let weak = |mut listeners: Vec<Listener>| {
            listeners[0].ssl_policy = Some("ELBSecurityPolicy-2016-08".to_owned());
            listeners
        };
        assert_eq!(entry(&weak(listeners(&secure))), None);
        let (front, _) = wanted(&secure);
        assert_eq!(entry(&[listener(&front)]), None, "nobody is sent on from 80");
        let plain = Wanted { redirects: true, ..wanted(&Entry::Http).0 };
        assert_eq!(entry(&[listener(&plain)]), None, "sent on to where nobody is");
        let mut other = listeners(&Entry::Http);
        other[0].default_actions =
            Some(vec![Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn("arn").build()]);
        assert_eq!(entry(&other), None);
        assert_eq!(entry(&[]), None);
    }
}

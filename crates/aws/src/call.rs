//! One call to AWS: paced, timed, repeated when that is worth it, ended by an interrupt, with an error that says the way out.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use mdo_engine::{CallTrace, Cause, Error, Signals};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Aws;
use crate::errors;
use crate::lambda::account_in;
use crate::pace::jitter;
use crate::written;

/// How long a call may wait for AWS to stop throttling it.
const THROTTLED_FOR_AT_MOST: Duration = Duration::from_secs(90);

/// How long the answer to an invocation may take: what a function may run for at most, and a little more.
pub(crate) const RUNS_FOR_AT_MOST: Duration = Duration::from_secs(900 + 15);

/// How long any other answer may take: what takes longer is dead.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How many bytes a second a line takes at least, where a request is large.
const SLOWEST_LINE: u64 = 64 * 1024;

/// How often a call is made in all when there is no answer.
const SILENCES: u32 = 2;

/// After this long without an answer a word says what is being waited for.
const WORD_AFTER: Duration = Duration::from_secs(5);

/// How long what was begun may take to be finished once the user has interrupted.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How often a call is made in all when the network or the service fails.
const ATTEMPTS: u32 = 4;

/// Operations that make a new thing each time they are made: never repeated when it is unclear whether they arrived.
const NOT_REPEATABLE: [&str; 5] = [
    "apigateway:CreateApiKey",
    "apigateway:CreateDeployment",
    "apigateway:CreateUsagePlan",
    "apigateway:ImportRestApi",
    "lambda:Invoke",
];

/// What calls know of each other while they wait.
pub(crate) struct Waits {
    signals: Signals,
    /// When the user has interrupted, as far as anybody has noticed.
    interrupted: OnceLock<Instant>,
    /// When it was last said what is being waited for.
    notified: Mutex<Option<Instant>>,
    /// Cancelled once AWS has let us in.
    reached: CancellationToken,
}

impl Waits {
    pub(crate) fn new(signals: Signals) -> Self {
        Self {
            signals,
            interrupted: OnceLock::new(),
            notified: Mutex::default(),
            reached: CancellationToken::new(),
        }
    }
}

impl Aws {
    /// Makes one call: paces it by its quotas, repeats it when AWS throttles it or the network fails, and says what its
    /// error means.
    ///
    /// `operation` is written `lambda:CreateFunction`; `on` names the resource for messages. `request` is called once for
    /// each attempt.
    pub(crate) async fn call<T, E, F, Fut>(
        &self,
        operation: &'static str,
        on: &str,
        request: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.send(operation, on, 0, request).await
    }

    /// As [`Aws::call`], for a request of so many bytes, which take their time on a slow line.
    pub(crate) async fn send<T, E, F, Fut>(
        &self,
        operation: &'static str,
        on: &str,
        bytes: u64,
        request: F,
    ) -> Result<T, Error>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let once = NOT_REPEATABLE.contains(&operation);
        let patience = patience(operation, bytes);
        let (mut failures, mut silences, mut give_up) = (0, 0, None);
        loop {
            self.take_turn(operation).await?;
            let sent = Instant::now();
            // Boxed, because the SDK's futures are large and many wait side by side.
            let request = Box::pin(request());
            let Some(answer) = self.answer(operation, on, patience, request).await else {
                self.trace(operation, on, sent, "no answer");
                silences += 1;
                if once || silences == SILENCES || self.waits.signals.interrupt.is_cancelled() {
                    return Err(errors::silent(operation, on, patience, once));
                }
                continue;
            };
            let error = match answer {
                Ok(answer) => {
                    self.trace(operation, on, sent, "ok");
                    self.pace.succeeded(operation, Instant::now());
                    self.waits.reached.cancel();
                    written::note(operation);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            self.trace(operation, on, sent, error.code().unwrap_or("no connection"));
            let now = Instant::now();
            let give_up = *give_up.get_or_insert(now + THROTTLED_FOR_AT_MOST);
            if errors::is_throttle(&error) && now < give_up {
                self.pace.throttled(operation, sent, now, errors::retry_after(&error));
                self.wait_out_throttle(operation, on).await?;
            } else if errors::is_transient(&error, once)
                && failures + 1 < ATTEMPTS
                && !self.waits.signals.interrupt.is_cancelled()
            {
                failures += 1;
                self.pause(jitter(Duration::from_millis(50) * 2_u32.pow(failures))).await?;
            } else {
                let error = self.explain(operation, on, &error);
                if !error.cause.is_access() {
                    self.waits.reached.cancel();
                }
                return Err(error);
            }
        }
    }

    fn trace(&self, operation: &str, on: &str, sent: Instant, outcome: &str) {
        // What a resource is called may have been typed in the place of a secret.
        let on = self.redactor.clean(on);
        (self.waits.signals.trace)(&CallTrace { operation, on: &on, took: sent.elapsed(), outcome });
    }

    /// Waits until the quotas have room for a call.
    async fn take_turn(&self, operation: &'static str) -> Result<(), Error> {
        let began = Instant::now();
        while let Some(again) = self.pace.take(operation, Instant::now()) {
            let left = self.pace.wait(operation, Instant::now());
            if began.elapsed() + left >= WORD_AFTER {
                let name = errors::name_of(operation);
                self.notify(format_args!("waiting for AWS's quota of {name}, {} s", left.as_secs().max(1)));
            }
            self.pause(again.saturating_duration_since(Instant::now())).await?;
        }
        Ok(())
    }

    /// The answer to a request; `None` when there is none in time. After some seconds it says what is being waited for.
    async fn answer<T>(
        &self,
        operation: &'static str,
        on: &str,
        patience: Duration,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let give_up = Instant::now() + patience;
        tokio::pin!(request);
        if let Ok(answer) = tokio::time::timeout(WORD_AFTER.min(patience), &mut request).await {
            return Some(answer);
        }
        self.notify(format_args!("waiting for AWS to answer: {}", errors::doing(operation, on)));
        tokio::time::timeout_at(give_up, request).await.ok()
    }

    /// Waits until a throttled call may be tried again. Who is interrupted does not try again.
    async fn wait_out_throttle(&self, operation: &'static str, on: &str) -> Result<(), Error> {
        let wait = self.pace.wait(operation, Instant::now()) + jitter(Duration::from_millis(20));
        if wait >= Duration::from_secs(1) {
            let (name, seconds) = (errors::name_of(operation), wait.as_secs_f64().round());
            self.notify(format_args!("AWS throttles {name}; trying again in {seconds} s"));
        }
        tokio::select! {
            biased;
            () = self.waits.signals.interrupt.cancelled() => {
                let doing = errors::doing(operation, on);
                Err(Error::new(Cause::Interrupted, format!("{doing}: interrupted while AWS throttled it")))
            }
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Lets some time pass. Once the user has interrupted, only a few seconds more, to finish what was begun.
    ///
    /// # Errors
    /// [`Cause::Interrupted`] when that would not be enough.
    pub(crate) async fn pause(&self, pause: Duration) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.overdue() => Err(Error::new(Cause::Interrupted, "interrupted")),
        }
    }

    async fn overdue(&self) {
        self.waits.signals.interrupt.cancelled().await;
        let since = *self.waits.interrupted.get_or_init(Instant::now);
        tokio::time::sleep_until(since + FINISH_WITHIN).await;
    }

    /// Says what is being waited for, at most once in a while: many calls may wait for the same.
    fn notify(&self, what: fmt::Arguments<'_>) {
        let mut last = self.waits.notified.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= WORD_AFTER) {
            *last = Some(Instant::now());
            (self.waits.signals.notify)(&what.to_string());
        }
    }

    /// Waits until AWS has answered a call, be it that what was asked for is not there.
    pub(crate) async fn reached(&self) {
        self.waits.reached.cancelled().await;
    }

    fn explain<E>(&self, operation: &'static str, on: &str, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        // "Function not found: arn:…" names the account that has asked.
        let absent = (operation == "lambda:GetFunction").then(|| error.message()).flatten();
        if let Some(account) = absent.and_then(account_in) {
            self.mentioned.get_or_init(|| account);
        }
        let caller = errors::Caller {
            profile: self.options.profile.as_deref(),
            partition: self.partition,
            region: &self.region,
            redactor: &self.redactor,
        };
        errors::explain(operation, on, error, &caller)
    }
}

/// How long the answer to a call may take that sends so many bytes.
fn patience(operation: &str, bytes: u64) -> Duration {
    match operation {
        "lambda:Invoke" => RUNS_FOR_AT_MOST,
        _ => ANSWERS_WITHIN + Duration::from_secs(bytes / SLOWEST_LINE),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    type Answer = Result<(), SdkError<ErrorMetadata, HttpResponse>>;

    /// AWS as nobody sees it, with what it says while it waits.
    fn aws() -> (Aws, Arc<Mutex<Vec<String>>>, CancellationToken) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (interrupt, words) = (CancellationToken::new(), Arc::clone(&said));
        let notify = move |text: &str| words.lock().expect("words").push(text.to_owned());
        let signals =
            Signals { interrupt: interrupt.clone(), notify: Arc::new(notify), ..Signals::default() };
        (Aws::unconnected(signals), said, interrupt)
    }

    fn throttled() -> SdkError<ErrorMetadata, HttpResponse> {
        let mut response = HttpResponse::new(StatusCode::try_from(429).expect("a status"), SdkBody::empty());
        response.headers_mut().insert("retry-after", "30");
        let error = ErrorMetadata::builder().code("TooManyRequestsException").message("Rate exceeded");
        SdkError::service_error(error.build(), response)
    }

    async fn silent() -> Answer {
        std::future::pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_half_open_network_is_told_after_five_seconds_and_given_up_within_a_minute() {
        let (aws, said, _) = aws();
        let (start, attempts) = (Instant::now(), AtomicU32::new(0));
        let request = || {
            attempts.fetch_add(1, Ordering::Relaxed);
            silent()
        };
        let error = aws.call("lambda:ListFunctions", "", request).await.expect_err("silence");
        assert_eq!(error.cause, Cause::Unreachable);
        assert_eq!(error.message, "list functions: AWS did not answer within 30 s");
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        let said = said.lock().expect("words");
        assert_eq!(said[0], "waiting for AWS to answer: list functions");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_made_something_is_not_sent_again() {
        let (aws, _, _) = aws();
        let attempts = AtomicU32::new(0);
        let request = || {
            attempts.fetch_add(1, Ordering::Relaxed);
            silent()
        };
        let error = aws.call("apigateway:CreateApiKey", "k", request).await.expect_err("silence");
        assert_eq!(attempts.load(Ordering::Relaxed), 1);
        assert!(error.help.expect("help").starts_with("the call may have arrived"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_invocation_may_take_fifteen_minutes_and_a_large_upload_as_long_as_its_line_needs() {
        let (aws, _, _) = aws();
        let in_time = || async {
            tokio::time::sleep(Duration::from_secs(880)).await;
            Answer::Ok(())
        };
        assert_eq!(aws.call("lambda:Invoke", "f", in_time).await, Ok(()));
        assert_eq!(aws.send("lambda:UpdateFunctionCode", "f", 56 << 20, in_time).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_ends_a_throttled_call_at_once_and_it_is_not_tried_again() {
        let (aws, said, interrupt) = aws();
        let (start, attempts) = (Instant::now(), AtomicU32::new(0));
        let request = || async {
            attempts.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(throttled())
        };
        let after_a_second = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            interrupt.cancel();
        };
        let call = aws.call("apigateway:CreateDeployment", "ml_api", request);
        let (error, ()) = futures::future::join(call, after_a_second).await;
        assert_eq!(error.expect_err("an interruption").cause, Cause::Interrupted);
        assert_eq!((start.elapsed(), attempts.load(Ordering::Relaxed)), (Duration::from_secs(1), 1));
        assert_eq!(*said.lock().expect("words"), ["AWS throttles CreateDeployment; trying again in 30 s"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_finishes_what_was_begun_ends_within_seconds_of_an_interrupt() {
        let (aws, _, interrupt) = aws();
        interrupt.cancel();
        assert_eq!(aws.pause(Duration::from_secs(4)).await, Ok(()));
        let error = aws.pause(Duration::from_secs(4)).await.expect_err("an interruption");
        assert_eq!(error.cause, Cause::Interrupted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_of_calls_does_not_use_up_the_time_for_being_throttled() {
        let (aws, _, _) = aws();
        let attempts = AtomicU32::new(0);
        let request = || async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            match attempts.fetch_add(1, Ordering::Relaxed) {
                25 => Err(throttled()),
                _ => Ok(()),
            }
        };
        let calls = (0..26).map(|_| aws.call("apigateway:CreateDeployment", "a", request));
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
}

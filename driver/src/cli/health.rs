//! `stepdown health`: the probe.

use std::time::Duration;

use clap::Args;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::boolean;
use super::duration::parse_duration;
use super::visible::visible;
use crate::causes::with_causes;

/// Flags of `stepdown health`.
#[derive(Clone, Debug, Args)]
pub struct HealthArgs {
    /// Server host [default: localhost]
    #[arg(long, default_value = "", hide_default_value = true)]
    host: String,
    /// Server port
    #[arg(long, default_value_t = 6649)]
    port: u16,
    /// How long to wait for the answer, as in 10s or 500ms
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,
    /// Name of the service to ask for; empty is the server as a whole
    #[arg(long, default_value = "", hide_default_value = true)]
    service: String,
    /// Say so also when it serves; why it does not is always said, on standard error
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true",
        hide_default_value = true, value_name = "BOOL", value_parser = boolean::parse)]
    pub verbose: bool,
}

impl HealthArgs {
    /// Who is asked, `host:port`.
    pub fn target(&self) -> String {
        let host = match self.host.as_str() {
            "" => "localhost".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        format!("{host}:{}", self.port)
    }
}

/// Why a service is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// There was no answer.
    #[error("{target}: {reason}")]
    NoAnswer {
        /// Who was asked.
        target: String,
        /// Why it did not answer.
        reason: NoAnswer,
    },
    /// It answered something else than SERVING.
    #[error("{target}: the service is {status}")]
    NotServing {
        /// Who was asked.
        target: String,
        /// What it answered.
        status: &'static str,
    },
}

/// Why a service did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no such host or port.
    #[error("not an address (--host, --port): {0}")]
    Address(tonic::transport::Error),
    /// It can't be reached.
    #[error("{}", with_causes(.0))]
    Connect(tonic::transport::Error),
    /// The call failed.
    #[error("{:?}: {}", .0.code(), visible(.0.message()))]
    Status(Box<tonic::Status>),
    /// It took too long.
    #[error("no answer within {0:?} (--timeout)")]
    TimedOut(Duration),
}

/// Asks the service; `Ok` only if it answers SERVING in time.
pub async fn check(args: &HealthArgs) -> Result<(), Unhealthy> {
    let target = args.target();
    let answer = tokio::time::timeout(args.timeout, ask(&target, &args.service))
        .await
        .unwrap_or(Err(NoAnswer::TimedOut(args.timeout)));
    match answer {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(
            status @ (ServingStatus::NotServing
            | ServingStatus::ServiceUnknown
            | ServingStatus::Unknown),
        ) => Err(Unhealthy::NotServing {
            target,
            status: status.as_str_name(),
        }),
        Err(reason) => Err(Unhealthy::NoAnswer { target, reason }),
    }
}

async fn ask(target: &str, service: &str) -> Result<ServingStatus, NoAnswer> {
    let channel = Endpoint::from_shared(format!("http://{target}"))
        .map_err(NoAnswer::Address)?
        .connect()
        .await
        .map_err(NoAnswer::Connect)?;
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest {
            service: service.to_owned(),
        })
        .await
        .map_err(|status| NoAnswer::Status(Box::new(status)))?;
    Ok(answer.into_inner().status())
}

//! A program in a container, over a WebSocket (`pods/exec`).
//!
//! ## Why
//!
//! - The protocol is the client library's: three streams and an end in one connection are easy to get
//!   wrong.
//! - It gets a connection of its own with a longer silence: a program that works says nothing, and only
//!   the library's ping, once a minute, shows that the other side is there.
//! - Only a `Status` with an exit code proves that the program ran to its end. A connection that ends
//!   without one is a lost reply.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join3;
use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use kube::client::UpgradeConnectionError;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::call::{Call, Reply};
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::{Command, Executed, PRINTED_MAX};
use crate::world::tally;

/// Two pings of the library went unanswered.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(150);

/// The server's words where the program was not started; another failure says nothing about that.
const NOT_STARTED: &str = "OCI runtime exec failed";

impl Wire {
    /// Runs once.
    pub(super) async fn run(&self, command: &Command<'_>) -> Result<Executed, WorldError> {
        let call = call(command);
        let pods: Api<Pod> = Api::namespaced(self.patient().await?, command.namespace);
        let mut params = AttachParams::default().stdin(false).stdout(true).stderr(true);
        params.container = command.container.map(str::to_owned);
        tally::sent();
        let opened = pods.exec(command.pod, command.argv, &params).await;
        let mut process = opened.map_err(|error| self.not_opened(&call, &error))?;
        let (stdout, stderr, status) = join3(
            beginning(process.stdout()),
            end(process.stderr()),
            ended(&mut process),
        )
        .await;
        let lost = || {
            let message = format!("{}: the connection ended before the program did", call.what());
            self.error(ErrorKind::LostReply, message)
        };
        let code = self.code(&call, &status.ok_or_else(lost)?)?;
        Ok(Executed {
            code,
            stdout: stdout.0,
            stderr,
            cut: stdout.1,
        })
    }

    /// What it means that the connection was not opened.
    fn not_opened(&self, call: &Call, error: &kube::Error) -> WorldError {
        match error {
            kube::Error::Api(status) => self.refused(call, &reply(status)),
            kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(code)) => {
                let message = format!("{}: {code} instead of a WebSocket", call.what());
                let hint = "a proxy on the way may not pass WebSockets on";
                self.error(ErrorKind::Rejected, message).hint(hint)
            }
            other => self.unsent(call, other),
        }
    }

    /// The exit code in the last word of the server.
    fn code(&self, call: &Call, status: &Status) -> Result<i32, WorldError> {
        if status.status.as_deref() == Some("Success") {
            return Ok(0);
        }
        let causes = status
            .details
            .iter()
            .flat_map(|details| &details.causes)
            .flatten();
        let code = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode"));
        let mut code = code.filter_map(|cause| cause.message.as_ref()?.parse().ok());
        code.next().ok_or_else(|| {
            let words = status.message.as_deref().unwrap_or("no word of how it ended");
            let kind = if words.contains(NOT_STARTED) {
                ErrorKind::Rejected
            } else {
                ErrorKind::LostReply
            };
            self.error(kind, format!("{}: {words}", call.what()))
        })
    }
}

fn call(command: &Command<'_>) -> Call {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/exec",
        command.namespace, command.pod
    );
    Call::new(Method::POST, "create", "pods/exec", Some(command.namespace), path)
}

/// What the library says where the answer was no `Status` of an API server.
const FOREIGN: &str = "Failed to parse error data";

/// A refusal as the server sent it.
fn reply(status: &kube::core::Status) -> Reply {
    let body = if status.reason == FOREIGN {
        status.message.clone()
    } else {
        // The library drops the kind that it was told by.
        let mut body = serde_json::to_value(status).unwrap_or_default();
        body["kind"] = "Status".into();
        body.to_string()
    };
    Reply {
        status: StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        retry_after_ms: None,
        body: Bytes::from(body),
    }
}

async fn ended(process: &mut AttachedProcess) -> Option<Status> {
    process.take_status()?.await
}

/// The beginning of a stream, and whether there was more. All of it is read: a program whose pipe is full
/// stands still.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> (Vec<u8>, bool) {
    let mut kept = Vec::new();
    let mut cut = false;
    read(stream, |bytes| {
        let room = PRINTED_MAX - kept.len();
        cut |= bytes.len() > room;
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })
    .await;
    (kept, cut)
}

async fn end(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    read(stream, |bytes| {
        kept.extend_from_slice(bytes);
        kept.drain(..kept.len().saturating_sub(PRINTED_MAX));
    })
    .await;
    kept
}

/// A stream that breaks has ended: the status says how the program did.
async fn read(stream: Option<impl AsyncRead + Unpin>, mut take: impl FnMut(&[u8])) {
    let Some(mut stream) = stream else {
        return;
    };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        take(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_are_read_whole_and_kept_in_part() {
        let long: Vec<u8> = (0..=255).cycle().take(PRINTED_MAX + 300).collect();
        let (kept, cut) = beginning(Some(&long[..])).await;
        assert!(cut && kept == long[..PRINTED_MAX]);
        assert_eq!(end(Some(&long[..])).await, long[300..]);
        assert_eq!(beginning(Some(&b"short"[..])).await, (b"short".to_vec(), false));
        assert_eq!(beginning(None::<&[u8]>).await, (Vec::new(), false));
    }

    fn status(value: serde_json::Value) -> Status {
        serde_json::from_value(value).unwrap()
    }

    #[tokio::test]
    async fn only_an_exit_code_says_that_a_program_ended() {
        let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        let wire = super::super::config::client("east", config, "kubectl".into()).unwrap();
        let argv = [];
        let call = call(&Command {
            namespace: "shop",
            pod: "db-0",
            container: None,
            argv: &argv,
        });
        let code = |value| wire.code(&call, &status(value)).map_err(|error| error.kind);
        assert_eq!(code(serde_json::json!({ "status": "Success" })), Ok(0));
        // As kubelets say it, word for word.
        let ended = serde_json::json!({ "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code: exit status 3",
            "details": { "causes": [{ "reason": "ExitCode", "message": "3" }] } });
        assert_eq!(code(ended), Ok(3));
        let not_started = "Internal error occurred: error executing command in container: failed to exec in container: \
            failed to start exec \"4a\": OCI runtime exec failed: exec failed: unable to start container process: \
            exec: \"nope\": executable file not found in $PATH: unknown";
        let failure = |message: &str| serde_json::json!({ "status": "Failure", "reason": "InternalError", "message": message });
        assert_eq!(code(failure(not_started)), Err(ErrorKind::Rejected));
        let broken = "Internal error occurred: error executing command in container: EOF";
        assert_eq!(code(failure(broken)), Err(ErrorKind::LostReply));
        assert_eq!(code(serde_json::json!({})), Err(ErrorKind::LostReply));
    }
}

//! From what an S3 server answered, or did not, to a [`WorldError`].
//!
//! ## Why
//!
//! An S3 error code in the body proves that the store itself spoke. A 5xx without one comes from
//! something between us, which may have passed a write on before it gave up: a lost reply. A 500 or
//! 504 to a write is a lost reply in any case: stores answer so after the bytes were stored.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::Bucket;
use crate::effect::{ErrorKind, WorldError};
use crate::world::transport;

/// What was asked, for people and for the meaning of a lost answer.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// `put`, `list`, in lower case.
    pub(super) verb: &'static str,
    pub(super) key: &'a str,
    pub(super) mutating: bool,
}

impl<'a> Ask<'a> {
    pub(super) fn read(verb: &'static str, key: &'a str) -> Self {
        Self {
            verb,
            key,
            mutating: false,
        }
    }

    pub(super) fn write(verb: &'static str, key: &'a str) -> Self {
        Self {
            verb,
            key,
            mutating: true,
        }
    }
}

impl Bucket {
    /// What a failed call means.
    pub(super) fn failed<E>(&self, ask: Ask<'_>, error: &SdkError<E, HttpResponse>) -> WorldError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        if let Some(credentials) = transport::find::<CredentialsError>(error) {
            return self.no_credentials(credentials);
        }
        match error {
            SdkError::ServiceError(answer) => self.refused(ask, answer.raw(), answer.err()),
            // The request could not even be built.
            SdkError::ConstructionFailure(_) => {
                let message = format!("{} {}: {}", ask.verb, ask.key, transport::innermost(error));
                self.error(ErrorKind::Internal, message)
            }
            other => transport::no_answer(&self.store, &self.endpoint, ask.mutating, other),
        }
    }

    fn refused<E>(&self, ask: Ask<'_>, raw: &HttpResponse, error: &E) -> WorldError
    where
        E: ProvideErrorMetadata,
    {
        let status = raw.status().as_u16();
        let code = error.code();
        let kind = kind(ask.mutating, status, code);
        let said = match (code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => format!("HTTP {status} without an S3 error code"),
        };
        let mut refused = self.error(kind, format!("{} `{}`: {said}", ask.verb, ask.key));
        refused.causes = vec![format!("{} answered HTTP {status}", self.endpoint)];
        refused.retry_after_ms = transport::retry_after_ms(raw.headers().get("retry-after"));
        refused.hints.extend(self.advice(kind, code));
        refused
    }

    fn advice(&self, kind: ErrorKind, code: Option<&str>) -> Option<String> {
        let bucket = &self.name;
        match (code, kind) {
            (Some("NoSuchBucket"), _) => Some(format!(
                "bucket `{bucket}` does not exist; nothing is created in an incident: make it with `aws s3 mb s3://{bucket}`"
            )),
            (Some("RequestTimeTooSkewed"), _) => Some("this machine's clock is wrong: `timedatectl`".into()),
            (Some("PermanentRedirect" | "AuthorizationHeaderMalformed"), _) => Some(format!(
                "bucket `{bucket}` is in another region: `aws s3api get-bucket-location --bucket {bucket}`"
            )),
            (_, ErrorKind::Unauthenticated) => Some(format!(
                "the store does not accept {}: `aws sts get-caller-identity`",
                self.credentials
            )),
            (_, ErrorKind::Forbidden) => Some(format!(
                "{} may not do this in `{bucket}`: `aws s3api get-bucket-policy --bucket {bucket}`",
                self.credentials
            )),
            _ => None,
        }
    }

    /// There is nobody to be: nothing was sent.
    fn no_credentials(&self, error: &CredentialsError) -> WorldError {
        let message = format!(
            "no usable credentials from {}: {}",
            self.credentials,
            transport::innermost(error)
        );
        let mut failed = self.error(ErrorKind::Unauthenticated, message);
        failed.causes = transport::causes(error);
        failed.hint("see which are found: `aws configure list`")
    }

    /// An error of this store.
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> WorldError {
        WorldError::new(kind, &self.store, message)
    }
}

fn kind(mutating: bool, status: u16, code: Option<&str>) -> ErrorKind {
    match code {
        Some(
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "RequestTimeTooSkewed",
        ) => return ErrorKind::Unauthenticated,
        Some("SlowDown" | "ServiceUnavailable" | "TooManyRequests" | "RequestLimitExceeded") => {
            return ErrorKind::Busy;
        }
        Some("PermanentRedirect" | "AuthorizationHeaderMalformed") => return ErrorKind::WrongTarget,
        Some("BadDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch") => {
            return ErrorKind::Damaged;
        }
        _ => {}
    }
    match status {
        // A 200 whose body is an error: completing an upload may answer so after it has begun.
        200..=299 if mutating => ErrorKind::LostReply,
        301 | 307 | 308 => ErrorKind::WrongTarget,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        429 => ErrorKind::Busy,
        // What the server does not know, it has not done.
        501 => ErrorKind::Rejected,
        500..=599 => failure(mutating, status, code),
        _ => ErrorKind::Rejected,
    }
}

fn failure(mutating: bool, status: u16, code: Option<&str>) -> ErrorKind {
    if !mutating || status == 503 && code.is_some() {
        ErrorKind::Busy
    } else {
        ErrorKind::LostReply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_to_a_write_has_its_kind() {
        let kinds = [
            (412, Some("PreconditionFailed"), ErrorKind::Conflict),
            (409, Some("ConditionalRequestConflict"), ErrorKind::Conflict),
            (403, Some("AccessDenied"), ErrorKind::Forbidden),
            (403, Some("SignatureDoesNotMatch"), ErrorKind::Unauthenticated),
            (403, Some("InvalidAccessKeyId"), ErrorKind::Unauthenticated),
            (400, Some("ExpiredToken"), ErrorKind::Unauthenticated),
            (404, Some("NoSuchBucket"), ErrorKind::NotFound),
            (503, Some("SlowDown"), ErrorKind::Busy),
            (503, None, ErrorKind::LostReply),
            (500, Some("InternalError"), ErrorKind::LostReply),
            (504, None, ErrorKind::LostReply),
            (200, Some("InternalError"), ErrorKind::LostReply),
            (301, Some("PermanentRedirect"), ErrorKind::WrongTarget),
            (400, Some("BadDigest"), ErrorKind::Damaged),
            (400, Some("EntityTooLarge"), ErrorKind::Rejected),
            (501, Some("NotImplemented"), ErrorKind::Rejected),
        ];
        for (status, code, expected) in kinds {
            assert_eq!(kind(true, status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_server_error_on_a_read_changed_nothing() {
        for status in [500, 502, 503, 504] {
            assert_eq!(kind(false, status, None), ErrorKind::Busy, "{status}");
        }
    }
}

//! What the three network clients have in common: one TLS provider, and reading from a chain of
//! causes whether anything was sent. It knows neither Kubernetes nor S3.
//!
//! ## Why
//!
//! Whether a request was *surely not sent* decides whether the engine may simply try again. All three
//! clients stand on `hyper-util`, whose error says whether a connection was ever made. That client
//! itself sends a request a second time in one case only: the pooled connection was closed before
//! the first byte of the request was written. So a request is on the wire at most once.
//!
//! A request that only reads has changed nothing, whatever became of its answer: it is `Unreachable`
//! and never `LostReply`, so nobody is asked to find out what it did.

use std::error::Error;
use std::io;

use hyper_util::client::legacy::Error as HyperError;

use crate::effect::{ErrorKind, WorldError};

/// Makes aws-lc-rs the TLS provider of this process. Every client then shares it; the first call
/// wins, and later calls, also by the clients themselves, change nothing.
pub(super) fn install_tls_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing this race means that it has just been installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

/// The error and its causes, outermost first. Looks into `io::Error`, whose `source` skips the error
/// that it wraps.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        causes.push(cause);
        next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    causes
}

/// The first cause of this type.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error)
        .into_iter()
        .find_map(|cause| cause.downcast_ref::<E>())
}

/// Whether no connection was made, so that surely nothing was sent.
pub(super) fn never_connected(error: &(dyn Error + 'static)) -> bool {
    find::<HyperError>(error).is_some_and(HyperError::is_connect)
}

/// Why the server's certificate was not accepted, if that was the trouble.
fn distrust<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::CertificateError> {
    chain(error)
        .into_iter()
        .find_map(|cause| match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(why)) => Some(why),
            _ => None,
        })
}

/// The deepest cause, which is where the operating system or the TLS library speaks.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

/// Every cause once: libraries like to repeat the text of the cause below.
pub(super) fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = chain(error).iter().map(ToString::to_string).collect();
    texts.dedup();
    texts
}

/// What a request to `address` that got no whole answer means; `mutating`: it asked for a change.
pub(super) fn no_answer(
    target: &str,
    address: &str,
    mutating: bool,
    error: &(dyn Error + 'static),
) -> WorldError {
    let why = match find::<tokio::time::error::Elapsed>(error) {
        Some(_) => "timed out".to_owned(),
        None => innermost(error),
    };
    let (kind, message) = if let Some(distrust) = distrust(error) {
        // Not a passing trouble, and sending credentials there would be worse than stopping.
        let message = format!("the certificate of {address} is not trusted: {distrust}");
        (ErrorKind::WrongTarget, message)
    } else if never_connected(error) {
        (
            ErrorKind::Unreachable,
            format!("cannot connect to {address}: {why}"),
        )
    } else if mutating {
        let message = format!("no answer from {address}: {why}; the request may have been carried out");
        (ErrorKind::LostReply, message)
    } else {
        (ErrorKind::Unreachable, format!("no answer from {address}: {why}"))
    };
    let mut lost = WorldError::new(kind, target, message);
    lost.causes = causes(error);
    lost
}

/// Seconds of a `Retry-After` header in milliseconds. The other form, a date, is not used by the
/// servers that we talk to and is ignored.
pub(super) fn retry_after_ms(header: Option<&str>) -> Option<u64> {
    let seconds: u64 = header?.trim().parse().ok()?;
    seconds.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_wrapped_in_an_io_error_are_found() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = io::Error::new(io::ErrorKind::InvalidData, tls);
        assert_eq!(distrust(&error), Some(&rustls::CertificateError::UnknownIssuer));
    }

    #[test]
    fn an_untrusted_certificate_is_the_wrong_target_and_not_a_passing_trouble() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let error = no_answer("east", "https://east", true, &io::Error::other(tls));
        assert_eq!(error.kind, ErrorKind::WrongTarget);
        assert!(!error.kind.passing());
    }

    #[test]
    fn the_same_loss_is_a_lost_reply_only_for_a_change() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(no_answer("e", "a", true, &reset).kind, ErrorKind::LostReply);
        assert_eq!(no_answer("e", "a", false, &reset).kind, ErrorKind::Unreachable);
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_a_date_is_ignored() {
        assert_eq!(retry_after_ms(Some("3")), Some(3000));
        assert_eq!(retry_after_ms(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(retry_after_ms(None), None);
    }
}

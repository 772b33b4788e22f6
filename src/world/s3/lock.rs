//! Whether an object of a bucket is locked, and until when.
//!
//! ## Why
//!
//! - `HeadObject` shows a lock only to whoever may read it, and looks the same for one that is not there.
//!   So the lock itself is asked for: an answer, "there is none", or a refusal, which stays *not known*
//!   unless the header shows one (versitygw 1.8 answers the question in a form that the SDK cannot read).
//! - A bucket that was made without object lock has none on any object: it is asked once, and saves two
//!   requests for each object.
//! - What is answered is the server's word. That it also keeps it shows only when somebody tries to
//!   delete.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{
    ObjectLockEnabled, ObjectLockLegalHoldStatus, ObjectLockMode as Shown,
    ObjectLockRetentionMode as Answered,
};

use super::error::Ask;
use super::{Bucket, timestamp};
use crate::effect::{ErrorKind, Firmness, WorldError};
use crate::world::port::{Locked, Retention};

/// What servers call "there is no lock here", those included that know of no locks at all.
const NONE: [&str; 3] = [
    "NoSuchObjectLockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "NotImplemented",
];

impl Bucket {
    /// The lock of one object, given by its whole key.
    pub(super) async fn lock_of(&self, key: &str) -> Result<Locked, WorldError> {
        if !self.can_lock().await {
            return Ok(Locked::No);
        }
        match unknown(self.retention_of(key).await)? {
            Known::Yes(retention) => return Ok(Locked::Until(retention)),
            Known::Not(why) => {
                // Some servers answer in a form that cannot be read, and say the same in a header.
                let head = self.head(key).await?;
                let shown = shown(&head);
                return Ok(shown.map_or(Locked::Unknown(why), Locked::Until));
            }
            Known::No => {}
        }
        Ok(match unknown(self.hold_of(key).await)? {
            Known::Yes(()) => Locked::Held,
            Known::Not(why) => Locked::Unknown(why),
            Known::No => Locked::No,
        })
    }

    /// Whether the bucket was made with object lock; where that is not answered, each object is asked.
    pub(super) async fn can_lock(&self) -> bool {
        let ask = async {
            let got = self.client.get_object_lock_configuration().bucket(&self.name);
            match Box::pin(got.send()).await {
                Ok(got) => {
                    let enabled = got
                        .object_lock_configuration
                        .and_then(|lock| lock.object_lock_enabled);
                    enabled == Some(ObjectLockEnabled::Enabled)
                }
                Err(error) => !says_none(&error),
            }
        };
        *self.locks.get_or_init(|| ask).await
    }

    async fn retention_of(&self, key: &str) -> Result<Option<Retention>, WorldError> {
        let got = self.client.get_object_retention().bucket(&self.name).key(key);
        let got = match Box::pin(got.send()).await {
            Ok(got) => got.retention,
            Err(error) if says_none(&error) => return Ok(None),
            Err(error) => return Err(self.failed(Ask::read("look for the lock of", key), &error)),
        };
        let Some(got) = got else { return Ok(None) };
        let mode = match got.mode {
            Some(Answered::Compliance) => Firmness::Compliance,
            Some(Answered::Governance) => Firmness::Governance,
            _ => return Ok(None),
        };
        Ok(got
            .retain_until_date
            .as_ref()
            .and_then(timestamp)
            .map(|until| Retention { mode, until }))
    }

    async fn hold_of(&self, key: &str) -> Result<Option<()>, WorldError> {
        let got = self.client.get_object_legal_hold().bucket(&self.name).key(key);
        match Box::pin(got.send()).await {
            Ok(got) => {
                let status = got.legal_hold.and_then(|hold| hold.status);
                Ok((status == Some(ObjectLockLegalHoldStatus::On)).then_some(()))
            }
            Err(error) if says_none(&error) => Ok(None),
            Err(error) => Err(self.failed(Ask::read("look for a legal hold of", key), &error)),
        }
    }
}

/// The lock that a header shows; none proves nothing.
fn shown(head: &HeadObjectOutput) -> Option<Retention> {
    let mode = match head.object_lock_mode.as_ref()? {
        Shown::Compliance => Firmness::Compliance,
        Shown::Governance => Firmness::Governance,
        _ => return None,
    };
    let until = head.object_lock_retain_until_date.as_ref().and_then(timestamp)?;
    Some(Retention { mode, until })
}

enum Known<T> {
    Yes(T),
    No,
    Not(String),
}

/// A refusal leaves it open; whoever does not answer at all is another matter.
fn unknown<T>(answer: Result<Option<T>, WorldError>) -> Result<Known<T>, WorldError> {
    match answer {
        Ok(Some(found)) => Ok(Known::Yes(found)),
        Ok(None) => Ok(Known::No),
        Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Rejected) => {
            Ok(Known::Not(error.message))
        }
        Err(error) => Err(error),
    }
}

/// Whether the server answered that there is no lock.
fn says_none<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| NONE.contains(&code))
}

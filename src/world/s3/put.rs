//! Writing one object of a stream whose length nobody knows beforehand.
//!
//! Up to [`AT_ONCE`] bytes go in one request. A longer stream becomes a multipart upload: parts of [`PART`]
//! bytes, a few at a time, each with its CRC32, and nothing visible until all of them are joined.
//!
//! ## Why
//!
//! - **What [`PutMode::Create`] proves.** One request: `If-None-Match: *`, which the server decides
//!   alone (if it keeps that at all; the store probe finds out). Multipart: the same on the joining
//!   request, but **some servers ignore it there and answer 200** (minio does; versitygw refuses with
//!   412). So before the first part and again right before joining it is asked whether the key exists.
//!   That catches every writer who was done by then. *Not* proved on such a server: that nobody wrote
//!   the key between that look and the joining. Whoever needs more than that (a lock, an epoch, a
//!   record of a journal) must write at most [`AT_ONCE`] bytes, which go in one request.
//! - **The checksum algorithm stands on the opening request too.** The SDK gives parts a CRC32 on its
//!   own but does not announce it, and some servers then refuse to join.
//! - **Equal parts.** Sizes that grow with the stream would allow longer streams, but not every server
//!   takes parts of different sizes.
//! - **After joining it is looked at once more**: the same entity tag and length, or it is an error. On
//!   such a server that also catches most of those who joined after us.
//! - **Giving up** (an error, or this future is dropped) aborts the upload, also from a drop, where it
//!   can only be asked for in the background. If that fails too, or a part arrives after it, parts
//!   remain: they are invisible, but paid for until a lifecycle rule (`AbortIncompleteMultipartUpload`) sweeps them. After a joining
//!   request whose reply was lost nothing is aborted: the object may be there.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ObjectLockMode as Asked,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::task::JoinSet;

use super::error::Ask;
use super::pieces::{Body, Pieces};
use super::{ANSWER_LIMIT, Bucket, CONNECT_LIMIT, JOIN_LIMIT, SLOWEST_LINE};
use crate::effect::{ErrorKind, Firmness, WorldError};
use crate::world::port::PutMode;

/// The longest object that is written in one request: 7 s at 10 Mbit/s.
pub(super) const AT_ONCE: usize = 8 * 1024 * 1024;

/// Bytes per part: S3's least. Parts in memory are what a backup of a large site needs most of its memory for.
pub(super) const PART: usize = 5 * 1024 * 1024;

/// Parts on their way at the same time. Three fill a line where one waits for the server half of the
/// time; with the part being filled, 20 MiB are in memory.
const IN_FLIGHT: usize = 3;

/// S3's own limit, and with [`PART`] the longest object: 48 GiB.
const PARTS_MAX: i32 = 10_000;

impl Bucket {
    /// Writes the stream under `key` (whole, with the prefix) and returns its length.
    pub(super) async fn write(&self, key: &str, body: Body, mode: PutMode) -> Result<u64, WorldError> {
        let mut pieces = Pieces::of(body);
        let begun = pieces.next(AT_ONCE).await?.unwrap_or_default();
        if pieces.is_over().await? {
            return self.write_at_once(key, begun, mode).await;
        }
        pieces.put_back(begun);
        self.write_in_parts(key, pieces, mode).await
    }

    async fn write_at_once(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<u64, WorldError> {
        let length = bytes.len();
        let put = self.client.put_object().bucket(&self.name).key(key);
        let put = put
            .set_if_none_match(only_new(mode))
            .set_object_lock_mode(self.lock_mode())
            .set_object_lock_retain_until_date(self.lock_until())
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(answered_within(time_for(length)));
        let put = Box::pin(put.send()).await;
        put.map_err(|error| self.failed(Ask::write("put", key), &error))?;
        Ok(length as u64)
    }

    async fn write_in_parts(&self, key: &str, pieces: Pieces, mode: PutMode) -> Result<u64, WorldError> {
        self.refuse_existing(key, mode).await?;
        let mut upload = self.open(key).await?;
        let sent = match self.send_parts(&upload, pieces).await {
            // The second look, as late as it can be.
            Ok(sent) => self.refuse_existing(key, mode).await.map(|()| sent),
            Err(error) => Err(error),
        };
        match sent {
            Ok(sent) => self.join(upload, sent, mode).await,
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    /// The guard for servers that ignore the condition on the joining request.
    async fn refuse_existing(&self, key: &str, mode: PutMode) -> Result<(), WorldError> {
        if mode == PutMode::Replace {
            return Ok(());
        }
        match self.head(key).await {
            Ok(_) => {
                let message = format!("put `{key}`: an object of this name is already there");
                Err(self.error(ErrorKind::Conflict, message))
            }
            Err(absent) if absent.kind == ErrorKind::NotFound => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    pub(super) async fn head(&self, key: &str) -> Result<HeadObjectOutput, WorldError> {
        let head = self.client.head_object().bucket(&self.name).key(key);
        let head = Box::pin(head.send()).await;
        head.map_err(|error| self.failed(Ask::read("head", key), &error))
    }

    fn lock_mode(&self) -> Option<Asked> {
        self.retention.map(|retention| match retention.mode {
            Firmness::Compliance => Asked::Compliance,
            Firmness::Governance => Asked::Governance,
        })
    }

    fn lock_until(&self) -> Option<DateTime> {
        self.retention
            .map(|retention| DateTime::from_secs(retention.until.as_second()))
    }

    async fn open(&self, key: &str) -> Result<Upload, WorldError> {
        let open = self.client.create_multipart_upload();
        let open = open
            .bucket(&self.name)
            .key(key)
            .set_object_lock_mode(self.lock_mode())
            .set_object_lock_retain_until_date(self.lock_until())
            .checksum_algorithm(ChecksumAlgorithm::Crc32);
        let opened = Box::pin(open.send()).await;
        // An open upload is invisible: whether the request arrived does not matter.
        let opened = opened.map_err(|error| self.failed(Ask::read("put", key), &error))?;
        let id = opened.upload_id.ok_or_else(|| {
            let message = format!("put `{key}`: the server opened an upload without an id");
            self.error(ErrorKind::Damaged, message)
        })?;
        Ok(Upload {
            client: self.client.clone(),
            bucket: self.name.clone(),
            key: key.to_owned(),
            id: Some(id),
        })
    }

    /// Sends all parts, a few at a time, while the next one is being filled.
    async fn send_parts(&self, upload: &Upload, mut pieces: Pieces) -> Result<Sent, WorldError> {
        // Tasks of their own: they go on while the stream is slow. Dropping the set ends them.
        let mut flying = JoinSet::new();
        let mut sent = Sent::default();
        for number in 1.. {
            let Some(bytes) = pieces.next(PART).await? else {
                break;
            };
            if number > PARTS_MAX {
                let message = format!(
                    "put `{}`: longer than {PARTS_MAX} parts of {PART} bytes",
                    upload.key
                );
                return Err(self.error(ErrorKind::Rejected, message));
            }
            if flying.len() >= IN_FLIGHT {
                self.landed(&mut flying, &mut sent).await?;
            }
            sent.length += bytes.len() as u64;
            let (bucket, key, id) = (self.clone(), upload.key.clone(), upload.id.clone());
            flying.spawn(async move { bucket.send_part(&key, id, number, bytes).await });
        }
        while !flying.is_empty() {
            self.landed(&mut flying, &mut sent).await?;
        }
        sent.parts.sort_by_key(CompletedPart::part_number);
        Ok(sent)
    }

    /// Waits for one part.
    async fn landed(&self, flying: &mut Flying, sent: &mut Sent) -> Result<(), WorldError> {
        match flying.join_next().await {
            Some(Ok(part)) => sent.parts.push(part?),
            Some(Err(error)) => return Err(self.error(ErrorKind::Internal, error.to_string())),
            None => {}
        }
        Ok(())
    }

    async fn send_part(
        &self,
        key: &str,
        id: Option<String>,
        number: i32,
        bytes: Bytes,
    ) -> Result<CompletedPart, WorldError> {
        let limit = time_for(bytes.len());
        let part = self.client.upload_part().bucket(&self.name).key(key);
        let part = part
            .set_upload_id(id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(answered_within(limit));
        let sent = Box::pin(part.send()).await;
        // A part is invisible and will be aborted: whether it arrived does not matter.
        let sent = sent.map_err(|error| self.failed(Ask::read("put a part of", key), &error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    /// Makes the object visible, and looks whether it is the one that was sent.
    async fn join(&self, mut upload: Upload, sent: Sent, mode: PutMode) -> Result<u64, WorldError> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(sent.parts))
            .build();
        let join = self
            .client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(&upload.key);
        let join = join
            .set_upload_id(upload.id.clone())
            .set_if_none_match(only_new(mode))
            .multipart_upload(parts)
            .customize()
            .config_override(answered_within(JOIN_LIMIT));
        match Box::pin(join.send()).await {
            Ok(joined) => {
                upload.keep();
                self.check(&upload.key, sent.length, joined.e_tag()).await
            }
            Err(error) => {
                let error = self.failed(Ask::write("put", &upload.key), &error);
                if error.kind == ErrorKind::LostReply {
                    upload.keep();
                } else {
                    upload.abort().await;
                }
                Err(error)
            }
        }
    }

    /// Whether what is there now is what was joined.
    async fn check(&self, key: &str, length: u64, tag: Option<&str>) -> Result<u64, WorldError> {
        let head = self.head(key).await.map_err(|mut error| {
            error.kind = ErrorKind::LostReply;
            error.message = format!("put `{key}`: joined, but not confirmed: {}", error.message);
            error
        })?;
        let there = head
            .content_length()
            .and_then(|length| u64::try_from(length).ok());
        if tag.is_some() && head.e_tag() != tag {
            let message = format!("put `{key}`: somebody else wrote it at the same time");
            Err(self.error(ErrorKind::Conflict, message))
        } else if there == Some(length) {
            Ok(length)
        } else {
            let message = format!(
                "put `{key}`: {length} bytes were sent, {} are there",
                there.unwrap_or(0)
            );
            Err(self.error(ErrorKind::Damaged, message))
        }
    }
}

/// Parts on their way.
type Flying = JoinSet<Result<CompletedPart, WorldError>>;

/// Parts that have arrived.
#[derive(Default)]
struct Sent {
    parts: Vec<CompletedPart>,
    /// In bytes, all parts together.
    length: u64,
}

/// `If-None-Match: *` where the object must be new.
fn only_new(mode: PutMode) -> Option<String> {
    (mode == PutMode::Create).then(|| "*".to_owned())
}

/// From the beginning of a request with so long a body to that of its answer.
pub(super) const fn time_for(bytes: usize) -> Duration {
    ANSWER_LIMIT.saturating_add(Duration::from_secs(bytes as u64 / SLOWEST_LINE))
}

fn answered_within(limit: Duration) -> Builder {
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .read_timeout(limit);
    Builder::default().timeout_config(limits.build())
}

/// An open multipart upload; dropped without having been joined, it is aborted.
struct Upload {
    client: Client,
    bucket: String,
    key: String,
    /// `None` once there is nothing left to abort.
    id: Option<String>,
}

impl Upload {
    /// There is nothing to abort any more.
    fn keep(&mut self) {
        self.id = None;
    }

    async fn abort(&mut self) {
        if let Some(abort) = self.aborting() {
            abort.await;
        }
    }

    fn aborting(&mut self) -> Option<BoxFuture<'static, ()>> {
        let id = self.id.take()?;
        let (key, abort) = (self.key.clone(), self.client.abort_multipart_upload());
        let abort = abort.bucket(&self.bucket).key(&self.key).upload_id(id);
        Some(Box::pin(async move {
            if let Err(error) = abort.send().await {
                tracing::warn!(key, %error, "an unfinished upload could not be aborted; its parts stay until they are swept");
            }
        }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(abort), Ok(runtime)) = (self.aborting(), runtime) {
            runtime.spawn(abort);
        }
    }
}

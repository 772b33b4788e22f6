//! A real S3 bucket, or a part of one, as [`Store`].
//!
//! `put` writes, `error` reads refusals. Nothing here knows what the objects are.
//!
//! ## Why
//!
//! - **No retries, not even of reads.** The engine alone retries; it knows whether repeating is safe and
//!   says so in the journal. The SDK would repeat a write three times, and then report a conflict with
//!   our own first attempt.
//! - **Credentials are never values here.** A profile and its file can be named; everything else is the
//!   SDK's own chain (environment, profile, web identity, instance). A named profile is used or is an
//!   error: a missing one must not fall back to another identity.
//! - **The address is the one that was declared.** The SDK's settings for endpoints (`AWS_ENDPOINT_URL`)
//!   are not read; its proxy settings (`HTTPS_PROXY`, `NO_PROXY`) are.
//! - **Path-style addresses for custom endpoints**: few of them have a DNS name per bucket.
//! - **Checksums stay on**: CRC32 on every write, checked on every read where the server has one.

mod bench;
mod error;
mod lock;
mod pieces;
mod put;
mod versions;

#[cfg(test)]
mod live_doctor_tests;
#[cfg(test)]
mod live_lock_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError, DateTime};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use self::error::Ask;
use super::doctor::Bench;
use super::port::{Answer, Hidden, Locked, PutMode, Retention, Store, Stored};
use super::transport;
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::S3Store;

/// To open a connection, TLS included. Ten times what a healthy server on another continent needs.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// From sending a request without a large body to the beginning of its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Bytes a second of the slowest line worth waiting for, 0.25 Mbit/s: what a body adds to [`ANSWER_LIMIT`].
const SLOWEST_LINE: u64 = 32 * 1024;

/// For joining the parts of an upload: S3 itself takes minutes for the longest ones.
const JOIN_LIMIT: Duration = Duration::from_mins(5);

/// How long a stream may stand still in either direction before it is given up.
const STALL_LIMIT: Duration = Duration::from_secs(20);

/// A connection pool to one bucket, and the prefix that is ours in it.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    /// The store's name in the inventory.
    store: String,
    /// The bucket's own name.
    name: String,
    /// Empty, or ends with `/`.
    prefix: String,
    /// For people.
    endpoint: String,
    /// Where the credentials come from, for people.
    credentials: String,
    /// Everything that is written is locked.
    retention: Option<Retention>,
    /// Whether the bucket was made with object lock, once that was asked.
    locks: Arc<OnceCell<bool>>,
}

impl Bucket {
    /// Prepares the connection of the store called `store`; sends nothing.
    pub async fn connect(store: &str, at: &S3Store) -> Self {
        transport::install_tls_provider();
        let (provider, credentials) = credentials(at).await;
        Self::with(store, at, provider, credentials)
    }

    fn with(store: &str, at: &S3Store, provider: SharedCredentialsProvider, credentials: String) -> Self {
        let limits = TimeoutConfig::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(ANSWER_LIMIT);
        let stalls = StalledStreamProtectionConfig::enabled().grace_period(STALL_LIMIT);
        let mut config = Builder::new();
        config.set_endpoint_url(at.endpoint.clone());
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(at.region.clone()))
            .force_path_style(at.endpoint.is_some())
            .credentials_provider(provider)
            .retry_config(RetryConfig::disabled())
            .timeout_config(limits.build())
            .stalled_stream_protection(stalls.build());
        let amazon = || format!("S3 in {}", at.region);
        Self {
            client: Client::from_conf(config.build()),
            store: store.to_owned(),
            name: at.bucket.clone(),
            prefix: at.prefix.clone(),
            endpoint: at.endpoint.clone().unwrap_or_else(amazon),
            credentials,
            retention: None,
            locks: Arc::default(),
        }
    }

    async fn entries(&self, prefix: &str) -> Result<Vec<Stored>, WorldError> {
        let whole = self.whole(prefix);
        let ask = Ask::read("list", &whole);
        let mut entries = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let list = self.client.list_objects_v2().bucket(&self.name).prefix(&whole);
            let page = list.set_continuation_token(next.take()).send().await;
            let page = page.map_err(|error| self.failed(ask, &error))?;
            next = self.following(ask, &page)?;
            for object in page.contents.unwrap_or_default() {
                entries.push(self.entry(ask, &object)?);
            }
            if next.is_none() {
                break;
            }
        }
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(entries)
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>, WorldError> {
        let whole = self.whole(prefix);
        let ask = Ask::read("list the folders of", &whole);
        let mut names = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let list = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(&whole)
                .delimiter("/");
            let page = list.set_continuation_token(next.take()).send().await;
            let page = page.map_err(|error| self.failed(ask, &error))?;
            next = self.following(ask, &page)?;
            let folders = page.common_prefixes.unwrap_or_default();
            names.extend(folders.iter().filter_map(|folder| {
                let name = folder.prefix()?.strip_prefix(&whole)?;
                Some(name.trim_end_matches('/').to_owned())
            }));
            if next.is_none() {
                break;
            }
        }
        names.sort();
        Ok(names)
    }

    /// The token of the next page. A page that is cut off without one would be a shorter list.
    fn following(&self, ask: Ask<'_>, page: &ListObjectsV2Output) -> Result<Option<String>, WorldError> {
        match (page.is_truncated(), page.next_continuation_token()) {
            (Some(true), None) => {
                let message = format!(
                    "{} `{}`: the list is cut off and cannot be continued",
                    ask.verb, ask.key
                );
                Err(self.error(ErrorKind::Damaged, message))
            }
            (Some(true), Some(token)) => Ok(Some(token.to_owned())),
            _ => Ok(None),
        }
    }

    fn entry(&self, ask: Ask<'_>, object: &aws_sdk_s3::types::Object) -> Result<Stored, WorldError> {
        let key = object.key().and_then(|key| key.strip_prefix(&self.prefix));
        let size = object.size().and_then(|size| u64::try_from(size).ok());
        let (Some(key), Some(size)) = (key, size) else {
            let message = format!("{} `{}`: an entry has no usable key or size", ask.verb, ask.key);
            return Err(self.error(ErrorKind::Damaged, message));
        };
        Ok(Stored {
            key: key.to_owned(),
            size,
            modified: object.last_modified().and_then(timestamp),
        })
    }

    async fn read(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, WorldError>>, WorldError> {
        let whole = self.whole(key);
        let get = self.client.get_object().bucket(&self.name).key(&whole);
        let got = get
            .send()
            .await
            .map_err(|error| self.failed(Ask::read("get", &whole), &error))?;
        Ok(self.clone().chunks(whole, got.body))
    }

    /// The body as it arrives. It ends with an error if it breaks off or its checksum is wrong.
    fn chunks(self, key: String, body: ByteStream) -> BoxStream<'static, Result<Bytes, WorldError>> {
        let begin = Some((self, key, body));
        stream::unfold(begin, |state| async move {
            let (bucket, key, mut body) = state?;
            match body.next().await? {
                Ok(chunk) => Some((Ok(chunk), Some((bucket, key, body)))),
                Err(error) => Some((Err(bucket.broken(&key, &error)), None)),
            }
        })
        .boxed()
    }

    fn broken(&self, key: &str, error: &ByteStreamError) -> WorldError {
        let why = transport::innermost(error);
        // The SDK's checksum error has no public type; its text is all there is to go by.
        let damaged = transport::causes(error)
            .iter()
            .any(|cause| cause.contains("checksum"));
        let kind = if damaged {
            ErrorKind::Damaged
        } else {
            ErrorKind::Unreachable
        };
        let mut broken = self.error(kind, format!("get `{key}`: the object broke off: {why}"));
        broken.causes = transport::causes(error);
        broken
    }

    async fn remove(&self, key: &str) -> Result<(), WorldError> {
        let whole = self.whole(key);
        let deleted = self
            .client
            .delete_object()
            .bucket(&self.name)
            .key(&whole)
            .send()
            .await;
        match deleted.map_err(|error| (error.as_service_error().and_then(code), error)) {
            Ok(_) => Ok(()),
            // Some servers say so, although S3 does not.
            Err((Some(missing), _)) if missing == "NoSuchKey" => Ok(()),
            Err((_, error)) => Err(self.failed(Ask::write("delete", &whole), &error)),
        }
    }

    /// The key in the bucket.
    fn whole(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

fn code(error: &aws_sdk_s3::operation::delete_object::DeleteObjectError) -> Option<String> {
    error.meta().code().map(str::to_owned)
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// Who to be, and how to say where that was read.
async fn credentials(at: &S3Store) -> (SharedCredentialsProvider, String) {
    if at.profile.is_none() && at.credentials_file.is_none() {
        let chain = DefaultCredentialsChain::builder().region(Region::new(at.region.clone()));
        let said = "the SDK's usual places (environment, profile, instance)".to_owned();
        return (SharedCredentialsProvider::new(chain.build().await), said);
    }
    let profile = at.profile.as_deref().unwrap_or("default");
    let mut builder = ProfileFileCredentialsProvider::builder().profile_name(profile);
    let mut said = format!("profile `{profile}`");
    if let Some(file) = &at.credentials_file {
        let files = EnvConfigFiles::builder()
            .include_default_config_file(true)
            .with_file(EnvConfigFileKind::Credentials, file);
        builder = builder.profile_files(files.build());
        said = format!("{said} of {}", file.display());
    }
    (SharedCredentialsProvider::new(builder.build()), said)
}

impl Store for Bucket {
    fn address(&self) -> String {
        format!("s3://{}/{}", self.name, self.prefix)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>> {
        Box::pin(self.entries(prefix))
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(self.names(prefix))
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>> {
        Box::pin(self.read(key))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Answer<'a, u64> {
        Box::pin(async move { Box::pin(self.write(&self.whole(key), body, mode)).await })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(self.remove(key))
    }

    fn locked<'a>(&'a self, key: &'a str) -> Answer<'a, Locked> {
        Box::pin(async move { self.lock_of(&self.whole(key)).await })
    }

    fn hidden<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Hidden>> {
        Box::pin(self.under_marks(prefix))
    }

    fn unhide<'a>(&'a self, key: &'a str, marker: &'a str) -> Answer<'a, ()> {
        Box::pin(self.take_mark(key, marker))
    }

    fn locking(&self, retention: Retention) -> Result<Arc<dyn Store>, WorldError> {
        Ok(Arc::new(Self {
            retention: Some(retention),
            ..self.clone()
        }))
    }

    fn bench(&self) -> Option<&dyn Bench> {
        Some(self)
    }

    /// `shop/` becomes `shop-<suffix>/`. A store without a prefix is the whole bucket and has no
    /// siblings: there it is the folder `<suffix>/`.
    fn sibling(&self, suffix: &str) -> Arc<dyn Store> {
        let prefix = match self.prefix.strip_suffix('/') {
            Some(own) => format!("{own}-{suffix}/"),
            None => format!("{suffix}/"),
        };
        Arc::new(Self {
            prefix,
            ..self.clone()
        })
    }
}

//! What the store probe asks of a bucket beyond reading and writing.

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use jiff::Timestamp;

use super::Bucket;
use super::error::Ask;
use crate::effect::{ErrorKind, WorldError};
use crate::world::doctor::Bench;
use crate::world::port::Answer;

/// A CRC32 in the form in which it is sent; that of four zero bytes, and of nothing that the probe writes.
const WRONG_SUM: &str = "IUTfHA==";

/// What S3 calls the only version where none are kept.
const NO_VERSION: &str = "null";

impl Bench for Bucket {
    fn tag<'a>(&'a self, key: &'a str) -> Answer<'a, String> {
        Box::pin(async move {
            let head = self.head(&self.whole(key)).await?;
            let none = || self.error(ErrorKind::Damaged, "an object has no entity tag".to_owned());
            head.e_tag().map(str::to_owned).ok_or_else(none)
        })
    }

    fn swap<'a>(&'a self, key: &'a str, tag: &'a str, bytes: Bytes) -> Answer<'a, ()> {
        Box::pin(async move {
            let whole = self.whole(key);
            let put = self
                .client
                .put_object()
                .bucket(&self.name)
                .key(&whole)
                .if_match(tag);
            let put = Box::pin(put.body(ByteStream::from(bytes)).send()).await;
            put.map(drop)
                .map_err(|error| self.failed(Ask::write("put", &whole), &error))
        })
    }

    fn put_wrongly<'a>(&'a self, key: &'a str, bytes: Bytes) -> Answer<'a, ()> {
        Box::pin(async move {
            let whole = self.whole(key);
            let put = self.client.put_object().bucket(&self.name).key(&whole);
            let put = put.checksum_crc32(WRONG_SUM).body(ByteStream::from(bytes));
            let put = Box::pin(put.send()).await;
            put.map(drop)
                .map_err(|error| self.failed(Ask::write("put", &whole), &error))
        })
    }

    fn version<'a>(&'a self, key: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move {
            let head = self.head(&self.whole(key)).await?;
            let version = head.version_id().filter(|version| *version != NO_VERSION);
            Ok(version.map(str::to_owned))
        })
    }

    fn read_version<'a>(&'a self, key: &'a str, version: &'a str) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let whole = self.whole(key);
            let get = self
                .client
                .get_object()
                .bucket(&self.name)
                .key(&whole)
                .version_id(version);
            let got = Box::pin(get.send()).await;
            let got = got.map_err(|error| self.failed(Ask::read("get a version of", &whole), &error))?;
            let bytes = got
                .body
                .collect()
                .await
                .map_err(|error| self.broken(&whole, &error))?;
            Ok(bytes.into_bytes())
        })
    }

    fn delete_version<'a>(&'a self, key: &'a str, version: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let whole = self.whole(key);
            let delete = self
                .client
                .delete_object()
                .bucket(&self.name)
                .key(&whole)
                .version_id(version);
            let deleted = Box::pin(delete.send()).await;
            deleted
                .map(drop)
                .map_err(|error| self.failed(Ask::write("delete a version of", &whole), &error))
        })
    }

    fn locks(&self) -> Answer<'_, Option<bool>> {
        Box::pin(async move { Ok(Some(self.can_lock().await)) })
    }

    /// From the answer to a question whose answer is "there is none": every answer carries the time.
    fn clock(&self) -> Answer<'_, Timestamp> {
        Box::pin(async move {
            let whole = self.whole("metadata/lifeboat-probe/what-time-is-it");
            let get = self.client.get_object().bucket(&self.name).key(&whole);
            let Err(error) = Box::pin(get.send()).await else {
                return Err(self.no_time());
            };
            let said = error.raw_response().and_then(|raw| raw.headers().get("date"));
            let time = said.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            match (time, error.as_service_error()) {
                (Some(time), _) => Ok(time.timestamp()),
                (None, Some(GetObjectError::NoSuchKey(_))) => Err(self.no_time()),
                (None, _) => Err(self.failed(Ask::read("get", &whole), &error)),
            }
        })
    }
}

impl Bucket {
    fn no_time(&self) -> WorldError {
        self.error(
            ErrorKind::Damaged,
            "its answer does not say what time it is there".to_owned(),
        )
    }
}

//! What a bucket holds and does not list: older versions, and what is under delete markers.
//!
//! ## Why
//!
//! A delete without a version hides an object of a bucket that keeps versions, locked or not, and the server
//! says that it is gone. So what is really still there is asked for, and never concluded from that answer.

use std::collections::BTreeMap;

use super::Bucket;
use super::error::Ask;
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::Hidden;

impl Bucket {
    /// All that is hidden under a prefix, sorted by key.
    pub(super) async fn under_marks(&self, prefix: &str) -> Result<Vec<Hidden>, WorldError> {
        let whole = self.whole(prefix);
        let ask = Ask::read("list the versions of", &whole);
        let mut found: BTreeMap<String, Hidden> = BTreeMap::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let list = self
                .client
                .list_object_versions()
                .bucket(&self.name)
                .prefix(&whole);
            let list = list
                .set_key_marker(key_marker.take())
                .set_version_id_marker(version_marker.take());
            let page = Box::pin(list.send()).await;
            let page = page.map_err(|error| self.failed(ask, &error))?;
            for version in page.versions() {
                if version.is_latest() == Some(true) {
                    continue;
                }
                let bytes = version.size().and_then(|size| u64::try_from(size).ok());
                let one = self.hidden_one(&mut found, ask, version.key())?;
                one.versions += 1;
                one.bytes += bytes.unwrap_or(0);
            }
            for mark in page.delete_markers() {
                if mark.is_latest() == Some(true) {
                    let version = mark.version_id().map(str::to_owned);
                    self.hidden_one(&mut found, ask, mark.key())?.marker = version;
                }
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
            if key_marker.is_none() {
                let message = format!(
                    "{} `{whole}`: the list is cut off and cannot be continued",
                    ask.verb
                );
                return Err(self.error(ErrorKind::Damaged, message));
            }
        }
        // A mark under which nothing is hides nothing.
        Ok(found.into_values().filter(|one| one.versions > 0).collect())
    }

    fn hidden_one<'f>(
        &self,
        found: &'f mut BTreeMap<String, Hidden>,
        ask: Ask<'_>,
        key: Option<&str>,
    ) -> Result<&'f mut Hidden, WorldError> {
        let Some(key) = key.and_then(|key| key.strip_prefix(&self.prefix)) else {
            let message = format!("{} `{}`: an entry has no usable key", ask.verb, ask.key);
            return Err(self.error(ErrorKind::Damaged, message));
        };
        Ok(found.entry(key.to_owned()).or_insert_with(|| Hidden {
            key: key.to_owned(),
            versions: 0,
            bytes: 0,
            marker: None,
        }))
    }

    /// Deletes a delete marker.
    pub(super) async fn take_mark(&self, key: &str, marker: &str) -> Result<(), WorldError> {
        let whole = self.whole(key);
        let delete = self.client.delete_object().bucket(&self.name).key(&whole);
        let deleted = Box::pin(delete.version_id(marker).send()).await;
        deleted
            .map(drop)
            .map_err(|error| self.failed(Ask::write("take the delete marker from", &whole), &error))
    }
}

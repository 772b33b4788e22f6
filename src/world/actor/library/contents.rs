//! What one backup says of itself in full, for `show`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::card::{Card, State, Writer};
use crate::archive::{EXTRA_BYTES_MAX, Keys, LeftOut, Manifest, Sum, listed, results, volumes};
use crate::effect::{ErrorKind, WorldError};
use crate::world::actor::bytes::read_if_there;
use crate::world::actor::catalog;
use crate::world::port::Store;

/// A backup from its manifest, or from what Velero wrote beside its archive. The archive is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The short form.
    #[serde(flatten)]
    pub card: Card,
    /// What wrote it: `lifeboat 0.1.0`.
    pub tool: Option<String>,
    /// Kubernetes' version at the origin.
    pub kubernetes: Option<String>,
    /// When the last object had been read.
    pub completed_at: Option<Timestamp>,
    /// Objects of each kind, as `plural.group`; for Velero's as it lists them, `apps/v1/Deployment`.
    pub kinds: BTreeMap<String, u64>,
    /// Objects in each namespace; cluster-scoped ones under the empty name. Empty: not recorded.
    pub per_namespace: BTreeMap<String, u64>,
    /// What was there and is deliberately not in it.
    pub left_out: Vec<LeftOut>,
    /// Size and checksum of the archive as recorded.
    pub archive: Option<Sum>,
    /// What the writer reported as gone wrong, in its words.
    pub errors: Vec<String>,
    /// What the writer warned about, in its words.
    pub warnings: Vec<String>,
    /// Claims whose data Velero has saved, which lifeboat does not read.
    pub volumes: Vec<String>,
    /// Small files that could not be read, and so are not told above.
    pub unread: Vec<String>,
}

/// What is known of one backup.
pub(super) async fn contents(
    store: &dyn Store,
    store_name: &str,
    name: &str,
    now: Timestamp,
) -> Result<Contents, WorldError> {
    let card = super::card::one(store, store_name, name, now).await?;
    let keys = Keys::of(name)
        .map_err(|error| WorldError::new(ErrorKind::Rejected, store.address(), error.to_string()))?;
    let usable = !matches!(
        card.state,
        State::Damaged { .. } | State::Unfinished { .. } | State::Unread { .. } | State::Unusable { .. }
    );
    let mut contents = Contents::of(card);
    if usable && let Some(found) = catalog::open(store, name).await? {
        match found.manifest {
            Some(manifest) => contents.read(manifest),
            None => contents.read_veleros(store, &keys).await?,
        }
    } else if contents.card.writer == Writer::Velero {
        contents.read_veleros(store, &keys).await?;
    }
    Ok(contents)
}

impl Contents {
    fn of(card: Card) -> Self {
        Self {
            card,
            tool: None,
            kubernetes: None,
            completed_at: None,
            kinds: BTreeMap::new(),
            per_namespace: BTreeMap::new(),
            left_out: Vec::new(),
            archive: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            volumes: Vec::new(),
            unread: Vec::new(),
        }
    }

    fn read(&mut self, manifest: Manifest) {
        self.per_namespace = manifest.count_namespaces();
        self.tool = Some(manifest.tool);
        self.kubernetes = Some(manifest.origin.version);
        self.completed_at = Some(manifest.completed_at);
        self.kinds = manifest.kinds;
        self.left_out = manifest.left_out;
        self.archive = Some(manifest.archive);
    }

    async fn read_veleros(&mut self, store: &dyn Store, keys: &Keys) -> Result<(), WorldError> {
        if let Some(list) = self
            .extra(store, &keys.resource_list(), |file| listed(file))
            .await?
        {
            let of_list = |(kind, names): (String, _)| (kind, std::collections::BTreeSet::len(&names) as u64);
            self.kinds = list.into_iter().map(of_list).collect();
        }
        if let Some((errors, warnings)) = self.extra(store, &keys.results(), |file| results(file)).await? {
            (self.errors, self.warnings) = (errors, warnings);
        }
        let volume_info = keys.extra("volumeinfo.json.gz");
        let saved = self.extra(store, &volume_info, |file| volumes(file)).await?;
        self.volumes = saved.unwrap_or_default();
        Ok(())
    }

    /// One small file; one that is missing or cannot be understood is noted.
    async fn extra<T>(
        &mut self,
        store: &dyn Store,
        key: &str,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, WorldError> {
        let limit = usize::try_from(EXTRA_BYTES_MAX).unwrap_or(usize::MAX);
        let understood = match read_if_there(store, key, limit).await? {
            Some(bytes) => read(&bytes),
            None => Err("it is not there".to_owned()),
        };
        Ok(understood
            .map_err(|why| self.unread.push(format!("{key}: {why}")))
            .ok())
    }
}

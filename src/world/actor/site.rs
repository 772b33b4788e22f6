//! Finding a site, a store, and a kind by the name of an object.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Mutex;

use super::World;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::{ApiKind, ObjectId, builtin};
use crate::world::port::{Cluster, Listed, Listing, Store, smaller};

/// One site in the hands of one effect; what it serves is asked once.
pub(super) struct Site<'a> {
    pub(super) name: &'a str,
    pub(super) cluster: &'a dyn Cluster,
    kinds: Mutex<Option<Arc<[ApiKind]>>>,
}

impl World {
    pub(super) fn site<'a>(&'a self, name: &'a str) -> Result<Site<'a>, WorldError> {
        let cluster = self.clusters.get(name).ok_or_else(|| missing(name, "site"))?;
        Ok(Site {
            name,
            cluster: &**cluster,
            kinds: Mutex::new(None),
        })
    }

    pub(super) fn store(&self, name: &str) -> Result<Arc<dyn Store>, WorldError> {
        self.stores
            .get(name)
            .cloned()
            .ok_or_else(|| missing(name, "store"))
    }
}

pub(super) fn missing(name: &str, what: &str) -> WorldError {
    WorldError::new(
        ErrorKind::WrongTarget,
        name,
        format!("the inventory has no such {what}"),
    )
    .hint("name the file that has it with `--sites`")
}

impl Site<'_> {
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> WorldError {
        WorldError::new(kind, self.name, message)
    }

    /// Every kind that the site serves.
    pub(super) async fn kinds(&self) -> Result<Arc<[ApiKind]>, WorldError> {
        let mut known = self.kinds.lock().await;
        if let Some(kinds) = &*known {
            return Ok(kinds.clone());
        }
        let kinds: Arc<[ApiKind]> = self.cluster.discover().await?.into();
        *known = Some(kinds.clone());
        Ok(kinds)
    }

    /// Asks again next time: definitions were made.
    pub(super) async fn forget_kinds(&self) {
        *self.kinds.lock().await = None;
    }

    /// The kind of an object; `None` where the site does not serve it.
    ///
    /// A version other than the preferred one is taken as it is: only a request shows whether it is
    /// served too.
    pub(super) async fn find_kind(&self, id: &ObjectId) -> Result<Option<ApiKind>, WorldError> {
        if let Some(kind) = builtin(&id.kind).filter(|kind| kind.api_version() == id.api_version) {
            return Ok(Some(kind));
        }
        let fits = |kind: &&ApiKind| kind.group == id.group() && kind.kind == id.kind;
        let kinds = self.kinds().await?;
        let version = id.api_version.rsplit('/').next().unwrap_or_default();
        Ok(kinds.iter().find(fits).map(|kind| ApiKind {
            version: version.to_owned(),
            ..kind.clone()
        }))
    }

    /// In which other version a kind is served that [`Self::find_kind`] found and that is not served in
    /// the version which was asked for; `None`: it is served in that one.
    pub(super) async fn other_version(&self, kind: &ApiKind) -> Result<Option<String>, WorldError> {
        if builtin(&kind.kind).as_ref() == Some(kind) {
            return Ok(None);
        }
        let kinds = self.kinds().await?;
        let same = |one: &&ApiKind| one.group == kind.group && one.kind == kind.kind;
        let Some(preferred) = kinds.iter().find(same).filter(|one| *one != kind) else {
            return Ok(None);
        };
        let listing = Listing {
            kind: kind.clone(),
            namespace: None,
            labels: None,
            limit: 1,
        };
        match self.cluster.page(&listing, None).await {
            Ok(_) => Ok(None),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Some(preferred.api_version())),
            Err(error) => Err(error),
        }
    }

    /// Hands over every object of a listing, page by page; `false`: the server has forgotten the state that the first
    /// page showed, and the rest did not come.
    pub(super) async fn each(
        &self,
        mut listing: Listing,
        mut take: impl FnMut(serde_json::Result<Value>) -> Result<(), WorldError> + Send,
    ) -> Result<bool, WorldError> {
        let mut next: Option<String> = None;
        loop {
            match self.cluster.page(&listing, next.as_deref()).await? {
                Listed::Objects {
                    items, next: more, ..
                } => {
                    for item in &items {
                        take(Listing::object(&listing.kind, item))?;
                    }
                    if more.is_none() {
                        return Ok(true);
                    }
                    next = more;
                }
                Listed::Expired => return Ok(false),
                // Never said of a single object, so this ends.
                Listed::TooLarge => listing.limit = smaller(listing.limit),
            }
        }
    }

    /// The kind of an object.
    pub(super) async fn kind(&self, id: &ObjectId) -> Result<ApiKind, WorldError> {
        let kind = self.find_kind(id).await?.ok_or_else(|| {
            let message = format!("it serves no {} of {}", id.kind, id.api_version);
            self.error(ErrorKind::NotFound, message)
                .hint("install the CustomResourceDefinition first")
        })?;
        if kind.namespaced != id.namespace.is_some() {
            let scope = if kind.namespaced {
                "lives in a namespace"
            } else {
                "has no namespace"
            };
            let message = format!("{id}: {} {scope}", id.kind);
            return Err(self.error(ErrorKind::Rejected, message));
        }
        Ok(kind)
    }

    /// One object; `None` where there is none, also where the site does not serve its kind.
    pub(super) async fn get(&self, id: &ObjectId) -> Result<Option<Value>, WorldError> {
        match self.find_kind(id).await? {
            Some(kind) => self.cluster.get(&kind, id.namespace.as_deref(), &id.name).await,
            None => Ok(None),
        }
    }
}

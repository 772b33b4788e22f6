//! Performs [`Scale`].
//!
//! ## Why
//!
//! The size is changed through the subresource `scale`, as an autoscaler or a person would, and only
//! from a size that the plan knows, in the version in which it was seen: whoever changed it in the
//! meantime decides with a person, not against us.

use serde_json::{Value, json};

use super::World;
use super::marks::{counted, number, text};
use super::pace::{Look, until};
use super::pods::{named, pods_of};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, Receipt, Scale, WorldError};
use crate::objects::ApiKind;

/// A busy status moves the version between look and patch; so often at once it is something else.
const SWAPS: u32 = 5;

impl World {
    pub(super) async fn scale(&self, effect: &Scale, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let kind = site.kind(&effect.id).await?;
        let found = resize(&site, &kind, effect).await?;
        if effect.to == 0 {
            until(attempt, || Box::pin(stopped(&site, &kind, effect))).await?;
        }
        let left = if effect.to == 0 { ", no pod is left" } else { "" };
        let already = if found == u64::from(effect.to) {
            " (it already was)"
        } else {
            ""
        };
        Ok(Receipt {
            summary: format!("{}  {} → {}{left}{already}", effect.id, effect.from, effect.to),
            ..Receipt::default()
        })
    }
}

/// Compares and sets; gives the size that was found.
async fn resize(site: &Site<'_>, kind: &ApiKind, effect: &Scale) -> Result<u64, WorldError> {
    let mut swaps = 0;
    loop {
        let object = live(site, kind, effect).await?;
        let replicas = number(&object, "/spec/replicas").unwrap_or(1);
        if replicas == u64::from(effect.to) {
            return Ok(replicas);
        }
        if replicas != u64::from(effect.from) {
            let message = format!(
                "{} has {replicas} replicas; the plan saw {} and wants {}",
                effect.id, effect.from, effect.to
            );
            return Err(site
                .error(ErrorKind::Conflict, message)
                .hint("plan again: somebody else has changed it"));
        }
        let patch = json!({
            "metadata": { "resourceVersion": text(&object, "/metadata/resourceVersion") },
            "spec": { "replicas": effect.to },
        });
        let id = &effect.id;
        let scaled = site
            .cluster
            .patch(kind, id.namespace.as_deref(), &id.name, Some("scale"), &patch)
            .await;
        match scaled {
            Err(error) if error.kind == ErrorKind::Conflict && swaps < SWAPS => swaps += 1,
            Err(error) => return Err(error),
            Ok(_) => return Ok(replicas),
        }
    }
}

async fn live(site: &Site<'_>, kind: &ApiKind, effect: &Scale) -> Result<Value, WorldError> {
    let id = &effect.id;
    let found = site.cluster.get(kind, id.namespace.as_deref(), &id.name).await?;
    found.ok_or_else(|| site.error(ErrorKind::NotFound, format!("there is no {id}")))
}

/// Whether nothing of it runs any more: its controller counts none, and no pod is left, not even one
/// that is being stopped.
async fn stopped(site: &Site<'_>, kind: &ApiKind, effect: &Scale) -> Result<Look<()>, WorldError> {
    let object = live(site, kind, effect).await?;
    if number(&object, "/spec/replicas") != Some(0) {
        let message = format!("{} was scaled up again while it was being stopped", effect.id);
        return Err(site.error(ErrorKind::Conflict, message));
    }
    let generation = number(&object, "/metadata/generation").unwrap_or(0);
    if number(&object, "/status/observedGeneration").unwrap_or(0) < generation {
        return Ok(Look::Waiting("its controller has not seen it yet".into()));
    }
    let replicas = number(&object, "/status/replicas").unwrap_or(0);
    let pods = pods_of(site, &object).await?;
    let names: Vec<String> = pods
        .iter()
        .map(|pod| text(pod, "/metadata/name").to_owned())
        .collect();
    Ok(match (replicas, names.is_empty()) {
        (0, true) => Look::Done(()),
        (_, true) => Look::Waiting(format!("{replicas} replicas still counted")),
        (_, false) => Look::Waiting(format!(
            "{} still there: {}",
            counted(names.len(), "pod"),
            named(&names)
        )),
    })
}

//! Asks a site about every object that a restore would make or change.
//!
//! What cannot be asked is said: an object of a namespace or kind that is not there yet. It is asked
//! without owners, whose uids are not known, and without its status, which goes another way.

use std::collections::BTreeSet;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::find;
use super::index::Index;
use super::judge::{is_everywhere, take_status};
use super::prepare::Fitter;
use super::stream::{Met, arriving, stream};
use super::survey::survey;
use crate::archive::Archived;
use crate::effect::{Fate, Rehearsal, Rehearsed, RestoreObjects, WorldError, Would};
use crate::objects::{ObjectId, take_owners};
use crate::world::actor::World;
use crate::world::actor::pace::Work;
use crate::world::actor::site::Site;
use crate::world::actor::understudy::would;
use crate::world::port::Trial;

/// Questions in flight: admission is work for the server, and nobody waits for a rehearsal.
const IN_FLIGHT: usize = 16;

impl World {
    pub(in crate::world::actor) async fn rehearse_restore(
        &self,
        effect: &RestoreObjects,
    ) -> Result<Rehearsal, WorldError> {
        let Some(name) = effect.backup.as_known() else {
            return Ok(Rehearsal::Not("its backup is still to be made".into()));
        };
        let site = self.site(&effect.site)?;
        let store = self.store(&effect.store)?;
        let (found, written) = find(&*store, &name).await?;
        let index = Box::pin(survey(&site, &*store, &found, written.as_ref(), effect, None)).await?;
        let places: BTreeSet<usize> = index
            .ordered()
            .filter(|at| index.is_to_do(*at))
            .filter_map(|at| Some(index.entries.get(at)?.place))
            .collect();
        let asking = Asking {
            site: &site,
            index: &index,
            fitter: Fitter::new(effect),
        };
        let chosen = move |place: usize, _: &Archived| places.contains(&place);
        let archive = found.keys.archive();
        let (_, mut answers) = stream(&*store, &archive, chosen, |met| asking.all(met)).await?;
        answers.sort_by_key(|(at, _)| index.entries.get(*at).map(|entry| (entry.wave, *at)));
        Ok(Rehearsal::Asked(
            answers.into_iter().map(|(_, one)| one).collect(),
        ))
    }
}

struct Asking<'a> {
    site: &'a Site<'a>,
    index: &'a Index,
    fitter: Fitter,
}

impl Asking<'_> {
    async fn all(&self, met: Receiver<Met>) -> Result<Vec<(usize, Rehearsed)>, WorldError> {
        let answers = arriving(met).map(|(place, archived)| self.one(place, archived));
        let answers = answers.buffer_unordered(IN_FLIGHT).boxed();
        let answers: Vec<Option<(usize, Rehearsed)>> = answers.try_collect().await?;
        Ok(answers.into_iter().flatten().collect())
    }

    fn one(&self, place: usize, archived: Archived) -> Work<'_, Option<(usize, Rehearsed)>> {
        Box::pin(async move {
            let entries = &self.index.entries;
            let Ok(at) = entries.binary_search_by_key(&place, |entry| entry.place) else {
                return Ok(None);
            };
            let id = self.index.id(at);
            let namespaced = id.namespace.is_some();
            let Ok(fit) = self.fitter.fit(&archived.resource, archived.object, namespaced) else {
                return Ok(None);
            };
            let mut object = fit.object;
            take_owners(&mut object);
            take_status(&mut object);
            let (request, answer) = self.ask(at, &id, &object).await?;
            let request = request.to_owned();
            Ok(Some((at, Rehearsed { id, request, answer })))
        })
    }

    async fn ask(
        &self,
        at: usize,
        id: &ObjectId,
        object: &Value,
    ) -> Result<(&'static str, Would), WorldError> {
        let rooms = &self.index.demands.rooms;
        let absent = |namespace: &&String| rooms.get(*namespace).is_some_and(|room| !room.there);
        if let Some(namespace) = id.namespace.as_ref().filter(absent) {
            let why = format!("namespace {namespace} is not there yet");
            return Ok(("create", Would::Unknown(why)));
        }
        let Some(kind) = self.site.find_kind(id).await? else {
            let why = format!("{} of {} is not served yet", id.kind, id.api_version);
            return Ok(("create", Would::Unknown(why)));
        };
        let fate = self.index.fate(at);
        if fate == Some(Fate::Create) && !is_everywhere(object) {
            let asked = self.site.cluster.check_create(&kind, object).await;
            return Ok(("create", would(asked)?));
        }
        let force = fate != Some(Fate::Create);
        let trial = Trial::Apply { object, force };
        let applied = would(self.site.cluster.check_change(&kind, trial).await)?;
        if fate == Some(Fate::Replace) && matches!(applied, Would::Refuse(_)) {
            let asked = self.site.cluster.check_create(&kind, object).await;
            return Ok(("delete and create", would(asked)?));
        }
        Ok(("apply", applied))
    }
}

//! Performs [`DriveVelero`].
//!
//! ## Why
//!
//! - **An object that nobody has taken up is taken back.** Velero carries out whatever it finds when it starts: a
//!   restore that was given up at night would be done in the morning, over what people have made since. It is deleted
//!   by uid and version, so that a server which takes it up at that moment keeps it, and is followed.
//! - **Waiting in a line is not the same as waiting for nobody.** A Velero does one restore, and often one backup, at
//!   a time. As long as another one is worked on, the limit does not count; that one may be the leftover of a server
//!   that died, which nobody can tell from here, so both are named and the step's own timeout decides.
//! - **The consistent point is the Backup's `startTimestamp`**, for the reason given in `archive::foreign`.
//! - Nothing here asks Velero to stop: it has no such request. A step that is given up leaves it working.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::bytes::read_if_there;
use super::marks::{has_key, made, stamp_key, stamp_run, text, uid};
use super::pace::{Look, until, until_limit};
use super::pods::named;
use super::probe::known;
use super::site::Site;
use crate::archive::{EXTRA_BYTES_MAX, Keys, results};
use crate::effect::{Attempt, DriveVelero, ErrorKind, Receipt, Resolution, VeleroWork, WorldError};
use crate::objects::{ApiKind, ObjectId, VELERO_API, VeleroEnd, VeleroPhase, velero_kinds};
use crate::text::Millis;

/// What Velero makes labels of, whole.
const NAME_MAX: usize = 63;

/// So many of Velero's messages go with an error; the rest is counted.
const MESSAGES_SHOWN: usize = 5;

/// One object of Velero's, in the hands of one attempt.
struct Ride<'a> {
    site: Site<'a>,
    kind: ApiKind,
    id: ObjectId,
    effect: &'a DriveVelero,
    attempt: &'a Attempt,
}

impl World {
    pub(super) async fn drive_velero(
        &self,
        effect: &DriveVelero,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let ride = self.ride(effect, attempt)?;
        ride.ask().await?;
        ride.until_begun().await?;
        let ended = until(attempt, || Box::pin(ride.look())).await?;
        self.judge_velero(&ride, &ended).await
    }

    /// Working or failed: the next attempt finds it by its name and says so.
    pub(super) async fn resolve_velero(
        &self,
        effect: &DriveVelero,
        attempt: &Attempt,
    ) -> Result<Resolution, WorldError> {
        let ride = self.ride(effect, attempt)?;
        let found = ride.find().await?.filter(|object| has_key(object, attempt));
        match found.filter(|object| VeleroPhase::of(object) == VeleroPhase::Completed) {
            Some(object) => Ok(Resolution::Done(Box::new(
                self.judge_velero(&ride, &object).await?,
            ))),
            None => Ok(Resolution::NotDone),
        }
    }

    fn ride<'a>(&'a self, effect: &'a DriveVelero, attempt: &'a Attempt) -> Result<Ride<'a>, WorldError> {
        let site = self.site(&effect.site)?;
        let word = effect.work.kind();
        let kind = velero_kinds().into_iter().find(|kind| kind.kind == word);
        let kind =
            kind.ok_or_else(|| site.error(ErrorKind::Internal, format!("{word} is no kind of Velero's")))?;
        Ok(Ride {
            id: id(effect, attempt),
            site,
            kind,
            effect,
            attempt,
        })
    }

    /// What its end means.
    async fn judge_velero(&self, ride: &Ride<'_>, object: &Value) -> Result<Receipt, WorldError> {
        let end = VeleroEnd::of(object);
        let phase = text(object, "/status/phase");
        if phase == "Completed" {
            return self.completed(ride, object, &end).await;
        }
        let messages = self.messages(ride).await;
        let first = messages.as_ref().ok().and_then(|all| all.first());
        let first = first.map(|first| format!("the first: {first}"));
        let counts = Some(end.counts()).filter(|counts| !counts.is_empty());
        let words: Vec<String> = counts.into_iter().chain(end.said).chain(first).collect();
        let message = match words.join("; ") {
            words if words.is_empty() => format!("Velero says {phase} of {}", ride.id),
            words => format!("Velero says {phase} of {}: {words}", ride.id),
        };
        let word = ride.effect.work.kind().to_lowercase();
        let mut error = ride.site.error(ErrorKind::Rejected, message).hint(format!(
            "velero -n {} {word} describe {} --details, and `velero {word} logs` of it; to try again, delete it first",
            ride.effect.namespace, ride.id.name
        ));
        error.causes = messages.unwrap_or_else(|why| vec![why]);
        Err(error)
    }

    async fn completed(
        &self,
        ride: &Ride<'_>,
        object: &Value,
        end: &VeleroEnd,
    ) -> Result<Receipt, WorldError> {
        let (backup, consistent_at) = match ride.effect.work {
            VeleroWork::Backup { .. } => (ride.id.name.clone(), moment(object)),
            VeleroWork::Restore { .. } => {
                let backup = text(object, "/spec/backupName").to_owned();
                let found = ride.of(&backup, "Backup").await?;
                (backup, found.as_ref().and_then(moment))
            }
        };
        let mut receipt = Receipt {
            summary: match end.counts() {
                counts if counts.is_empty() => format!("{} is Completed", ride.id),
                counts => format!("{} is Completed: {counts}", ride.id),
            },
            created: made(object).into_iter().collect(),
            consistent_at,
            ..Receipt::default()
        };
        if end.errors + end.warnings > 0 {
            receipt.warnings = self.messages(ride).await.unwrap_or_else(|why| vec![why]);
        }
        receipt.outputs.insert("backup".to_owned(), backup);
        Ok(receipt)
    }

    /// Velero's own messages, the errors first; or why they could not be read. None, where no store is named.
    async fn messages(&self, ride: &Ride<'_>) -> Result<Vec<String>, String> {
        let Some(store) = &ride.effect.store else {
            return Ok(Vec::new());
        };
        let read = async {
            let limit = usize::try_from(EXTRA_BYTES_MAX).unwrap_or(usize::MAX);
            let key = ride.results()?;
            let bytes = read_if_there(&*self.store(store)?, &key, limit).await?;
            let bytes = bytes.ok_or_else(|| {
                let message = format!("there is no {key}: is it the store of this Velero?");
                WorldError::new(ErrorKind::NotFound, store, message)
            })?;
            results(bytes.as_slice())
                .map_err(|why| WorldError::new(ErrorKind::Damaged, store, format!("{key}: {why}")))
        };
        let read = read.await.map(|(errors, warnings)| shown(errors, warnings));
        read.map_err(|error| format!("Velero's own messages could not be read: {error}"))
    }
}

/// `<step>-<run>`, whole at its end: the run makes it this one's.
fn id(effect: &DriveVelero, attempt: &Attempt) -> ObjectId {
    let room = NAME_MAX.saturating_sub(attempt.run.len() + 1);
    let start: String = effect.name.chars().take(room).collect();
    ObjectId {
        api_version: VELERO_API.into(),
        kind: effect.work.kind().into(),
        namespace: Some(effect.namespace.clone()),
        name: format!("{}-{}", start.trim_end_matches('-'), attempt.run),
    }
}

/// The moment whose state a backup holds.
fn moment(backup: &Value) -> Option<Timestamp> {
    text(backup, "/status/startTimestamp").parse().ok()
}

fn shown(errors: Vec<String>, warnings: Vec<String>) -> Vec<String> {
    let errors = errors.into_iter().map(|line| format!("error: {line}"));
    let warnings = warnings.into_iter().map(|line| format!("warning: {line}"));
    let all: Vec<String> = errors.chain(warnings).collect();
    let more = all.len().saturating_sub(MESSAGES_SHOWN);
    let mut shown: Vec<String> = all.into_iter().take(MESSAGES_SHOWN).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}

impl Ride<'_> {
    async fn find(&self) -> Result<Option<Value>, WorldError> {
        self.of(&self.id.name, &self.id.kind).await
    }

    /// An object of the same Velero.
    async fn of(&self, name: &str, kind: &str) -> Result<Option<Value>, WorldError> {
        let Some(kind) = velero_kinds().into_iter().find(|one| one.kind == kind) else {
            return Ok(None);
        };
        let namespace = Some(self.effect.namespace.as_str());
        self.site.cluster.get(&kind, namespace, name).await
    }

    /// Puts the object there, unless an earlier attempt has.
    async fn ask(&self) -> Result<(), WorldError> {
        if let Some(found) = self.find().await.map_err(|error| self.no_velero(error))? {
            return self.own(&found);
        }
        let made = self.site.cluster.create(&self.kind, &self.manifest()?).await;
        made.map(|_| ()).map_err(|error| self.no_velero(error))
    }

    fn manifest(&self) -> Result<Value, WorldError> {
        let mut spec = match &self.effect.work {
            VeleroWork::Backup { spec } | VeleroWork::Restore { spec, .. } => spec.clone(),
        };
        if let VeleroWork::Restore {
            backup: Some(backup), ..
        } = &self.effect.work
        {
            spec["backupName"] = known(backup)?.into();
        }
        let mut object = json!({
            "apiVersion": self.id.api_version, "kind": self.id.kind,
            "metadata": { "name": self.id.name, "namespace": self.id.namespace },
            "spec": spec,
        });
        stamp_run(&mut object, self.attempt);
        stamp_key(&mut object, self.attempt);
        Ok(object)
    }

    /// Neither the kind nor the namespace is there where no Velero was ever set up.
    fn no_velero(&self, mut error: WorldError) -> WorldError {
        if error.kind != ErrorKind::NotFound {
            return error;
        }
        error.message = format!(
            "no Velero is set up in {}: {}",
            self.effect.namespace, error.message
        );
        error.hint("`namespace` at this step says where it is; `velero install` sets one up")
    }

    fn own(&self, found: &Value) -> Result<(), WorldError> {
        if has_key(found, self.attempt) {
            return Ok(());
        }
        let message = format!("{} is there and was not made by this step", self.id);
        Err(self.site.error(ErrorKind::Conflict, message))
    }

    async fn there(&self) -> Result<Value, WorldError> {
        let found = self.find().await?.ok_or_else(|| {
            let message = format!("{} was deleted while Velero had it", self.id);
            self.site.error(ErrorKind::NotFound, message)
        })?;
        self.own(&found)?;
        Ok(found)
    }

    /// Until a server has taken it up; for as long as that one may take, or others are in the line before it.
    async fn until_begun(&self) -> Result<(), WorldError> {
        let limit_ms = self.effect.taken_up_within_ms;
        loop {
            let begun = until_limit(self.attempt, limit_ms, || Box::pin(self.begun())).await?;
            if begun.is_ok() {
                return Ok(());
            }
            let before = self.before_it().await?;
            if !before.is_empty() {
                (self.attempt.progress)(format!(
                    "{} waits; Velero says that it works on {}",
                    self.id,
                    named(&before)
                ));
                continue;
            }
            let object = self.there().await?;
            if !matches!(VeleroPhase::of(&object), VeleroPhase::Waits(_)) {
                return Ok(());
            }
            if self.take_back(&object).await? {
                return Err(self.nobody(&object));
            }
        }
    }

    async fn begun(&self) -> Result<Look<()>, WorldError> {
        let object = self.there().await?;
        Ok(match VeleroPhase::of(&object) {
            VeleroPhase::Waits(word) if word.is_empty() => {
                Look::Waiting(format!("no Velero has looked at {} yet", self.id))
            }
            VeleroPhase::Waits(word) => Look::Waiting(format!("{}: {word}", self.id)),
            _ => Look::Done(()),
        })
    }

    /// Other pieces of work of the same kind that Velero says it is at.
    async fn before_it(&self) -> Result<Vec<String>, WorldError> {
        let namespace = Some(self.effect.namespace.as_str());
        let all = self.site.cluster.list(&self.kind, namespace).await?;
        let works = |object: &&Value| matches!(VeleroPhase::of(object), VeleroPhase::Works(_));
        let name = |object: &Value| {
            let since = text(object, "/status/startTimestamp");
            format!("{} (since {since})", text(object, "/metadata/name"))
        };
        Ok(all.iter().filter(works).map(name).collect())
    }

    /// `false`: a server was faster, or somebody else changed it.
    async fn take_back(&self, object: &Value) -> Result<bool, WorldError> {
        let version = text(object, "/metadata/resourceVersion");
        let namespace = Some(self.effect.namespace.as_str());
        let gone = self
            .site
            .cluster
            .delete_unchanged(&self.kind, namespace, &self.id.name, uid(object), version)
            .await;
        match gone {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn nobody(&self, object: &Value) -> WorldError {
        let limit = Millis(self.effect.taken_up_within_ms);
        let said = match text(object, "/status/phase") {
            "" => "its phase is empty".to_owned(),
            word => format!("its phase is {word}"),
        };
        let namespace = &self.effect.namespace;
        let message = format!(
            "no Velero server has taken up {} within {limit}: {said}, and none is at anything else in {namespace}. It was deleted again, so that nobody carries it out later",
            self.id
        );
        self.site.error(ErrorKind::NotFound, message).hint(format!(
            "look whether one runs: kubectl -n {namespace} get pods, and `velero version`"
        ))
    }

    async fn look(&self) -> Result<Look<Value>, WorldError> {
        let object = self.there().await?;
        Ok(match VeleroPhase::of(&object) {
            VeleroPhase::Waits(word) => Look::Waiting(format!("{}: {word}", self.id)),
            VeleroPhase::Works(far) => Look::Waiting(format!("{}: {far}", self.id)),
            VeleroPhase::Completed | VeleroPhase::Ended(_) => Look::Done(object),
        })
    }

    /// Where Velero writes what went wrong.
    fn results(&self) -> Result<String, WorldError> {
        let name = &self.id.name;
        match self.effect.work {
            VeleroWork::Backup { .. } => {
                let keys =
                    Keys::of(name).map_err(|why| self.site.error(ErrorKind::Internal, why.to_string()))?;
                Ok(keys.results())
            }
            VeleroWork::Restore { .. } => Ok(format!("restores/{name}/restore-{name}-results.gz")),
        }
    }
}

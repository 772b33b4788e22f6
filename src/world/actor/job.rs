//! Performs [`RunJob`].
//!
//! ## Why
//!
//! A Job gets no retries of its own (`backoffLimit: 0`): what it does is unknown to us, so whether it
//! may run twice is for a person to say. Its name is fixed for the run, so a repeated attempt finds
//! the first one's Job and waits for that.

use serde_json::{Value, json};

use super::World;
use super::marks::{condition, has_key, list, made, stamp_key, stamp_run, text};
use super::pace::{Look, until};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, Receipt, Resolution, RunJob, WorldError};
use crate::objects::ObjectId;

/// What the API server takes as a label, which a Job's name becomes on its pods.
const NAME_MAX: usize = 63;

impl World {
    pub(super) async fn run_job(&self, effect: &RunJob, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let id = id(effect, attempt);
        let kind = site.kind(&id).await?;
        let found = site.get(&id).await?;
        if found.is_none() {
            site.cluster.create(&kind, &manifest(effect, attempt)).await?;
        }
        until(attempt, || Box::pin(look(&site, &id, attempt))).await
    }

    pub(super) async fn resolve_job(
        &self,
        effect: &RunJob,
        attempt: &Attempt,
    ) -> Result<Resolution, WorldError> {
        let site = self.site(&effect.site)?;
        let id = id(effect, attempt);
        // Still running or failed: the next attempt finds it by its name and says so.
        let found = site.get(&id).await?.filter(|job| has_key(job, attempt));
        let done = found.filter(|job| condition(job, "Complete").is_some());
        Ok(done.map_or(Resolution::NotDone, |job| {
            Resolution::Done(Box::new(receipt(&job, &id)))
        }))
    }
}

fn id(effect: &RunJob, attempt: &Attempt) -> ObjectId {
    let room = NAME_MAX.saturating_sub(attempt.run.len() + 1);
    let start: String = effect.name.chars().take(room).collect();
    ObjectId {
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        namespace: Some(effect.namespace.clone()),
        name: format!("{}-{}", start.trim_end_matches('-'), attempt.run),
    }
}

async fn look(site: &Site<'_>, id: &ObjectId, attempt: &Attempt) -> Result<Look<Receipt>, WorldError> {
    let Some(job) = site.get(id).await? else {
        return Err(site.error(ErrorKind::NotFound, format!("{id} was deleted while it ran")));
    };
    if !has_key(&job, attempt) {
        let message = format!("{id} is there and was not made by this step");
        return Err(site.error(ErrorKind::Conflict, message));
    }
    if condition(&job, "Complete").is_some() {
        return Ok(Look::Done(receipt(&job, id)));
    }
    if let Some(failed) = condition(&job, "Failed") {
        return Err(failure(site, &job, id, failed).await);
    }
    let active = job.pointer("/status/active").and_then(Value::as_u64).unwrap_or(0);
    Ok(Look::Waiting(format!("{id} runs, {active} pods active")))
}

fn receipt(job: &Value, id: &ObjectId) -> Receipt {
    Receipt {
        summary: format!("{id} completed"),
        created: made(job).into_iter().collect(),
        ..Receipt::default()
    }
}

/// The Job's own words, and its pod's where they can be read.
async fn failure(site: &Site<'_>, job: &Value, id: &ObjectId, failed: &Value) -> WorldError {
    let message = format!("{id} failed: {}", text(failed, "/message"));
    let mut error = site.error(ErrorKind::Rejected, message).hint(format!(
        "kubectl logs -n {} job/{}",
        id.namespace.as_deref().unwrap_or_default(),
        id.name
    ));
    error.causes = ended_pods(site, job).await.unwrap_or_default();
    error
}

async fn ended_pods(site: &Site<'_>, job: &Value) -> Result<Vec<String>, WorldError> {
    let pod = ObjectId {
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: Some(text(job, "/metadata/namespace").to_owned()),
        name: String::new(),
    };
    let kind = site.kind(&pod).await?;
    let pods = site.cluster.list(&kind, pod.namespace.as_deref()).await?;
    let own = |pod: &&Value| {
        list(pod, "/metadata/ownerReferences").any(|owner| text(owner, "/uid") == text(job, "/metadata/uid"))
    };
    Ok(pods.iter().filter(own).flat_map(terminations).collect())
}

/// `web-x2dnt: container main ended with exit code 1 (Error)`.
fn terminations(pod: &Value) -> Vec<String> {
    list(pod, "/status/containerStatuses")
        .filter_map(|one| {
            let ended = one.pointer("/state/terminated")?;
            Some(format!(
                "{}: container {} ended with exit code {} ({})",
                text(pod, "/metadata/name"),
                text(one, "/name"),
                ended["exitCode"],
                text(ended, "/reason")
            ))
        })
        .collect()
}

fn manifest(effect: &RunJob, attempt: &Attempt) -> Value {
    let id = id(effect, attempt);
    let mut container = json!({ "name": "main", "image": effect.image });
    if !effect.command.is_empty() {
        container["command"] = json!(effect.command);
    }
    let env = effect
        .env
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }));
    container["env"] = env.collect();
    let secrets = effect
        .env_from_secret
        .iter()
        .map(|name| json!({ "secretRef": { "name": name } }));
    container["envFrom"] = secrets.collect();
    let mut pod = json!({ "restartPolicy": "Never", "containers": [container] });
    if let Some(account) = &effect.service_account {
        pod["serviceAccountName"] = json!(account);
    }
    let mut job = json!({
        "apiVersion": id.api_version, "kind": id.kind,
        "metadata": { "name": id.name, "namespace": id.namespace },
        "spec": { "backoffLimit": 0, "template": { "spec": pod } },
    });
    stamp_run(&mut job, attempt);
    stamp_key(&mut job, attempt);
    stamp_run(&mut job["spec"]["template"], attempt);
    job
}

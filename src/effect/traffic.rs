//! Send requests elsewhere, inside Kubernetes, and send them back.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Probe, Sandbox, Symbol};
use crate::objects::{ObjectId, ROUTE_GROUP, Split, Switch, builtin};
use crate::text::{Millis, Text};

/// Changes where a Service or an `HTTPRoute` sends requests, stage by stage. Each change is made only from the state
/// that this step has left or the plan has seen, in the version in which that was read: what somebody else has
/// changed is said and stays. A guard has to answer well at each stage for a time; if it does not, the object goes
/// back to what it was, and the step fails with what was seen.
///
/// Done when the API server was read to hold the last stage, after the guard's time was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShiftTraffic {
    /// The site.
    pub site: String,
    /// The Service or route.
    pub id: ObjectId,
    /// What is to become of it.
    pub switch: Switch,
    /// As the plan saw it; `None`: it was not there, or a drill has another one in its place. Then it counts how it
    /// is found first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Split>,
    /// What has to answer well at each stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
}

/// What has to answer well, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// What is asked. Of a stage at least so many answers have to be good as it says.
    pub probe: Probe,
    /// For so long at each stage, in milliseconds.
    pub steady_ms: u64,
    /// So many answers of each stage may be bad.
    #[serde(default)]
    pub bad_answers: u32,
}

/// Puts back where requests go, as it was before [`ShiftTraffic`]: from any of its stages, and from nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnTraffic {
    /// The site.
    pub site: String,
    /// The Service or route.
    pub id: ObjectId,
    /// What was done to it.
    pub switch: Switch,
    /// As the plan saw it; `None`: as the step that changed it has noted on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Split>,
}

impl ShiftTraffic {
    fn wanted(&self) -> String {
        let from = match &self.before {
            Some(before) => before.to_string(),
            None => "as it is then".to_owned(),
        };
        match &self.switch {
            Switch::Selector(to) => format!("{from} → {}", Split::Selector(to.clone())),
            Switch::Backend { to, stages } => {
                let stages: Vec<String> = stages.iter().map(ToString::to_string).collect();
                format!("{from} → {} % to {to}", stages.join(", "))
            }
        }
    }
}

impl Guard {
    /// `looked at for 30s: GET http://web/ = 200`.
    fn words(&self) -> String {
        format!(
            "looked at for {}: {}",
            Millis(self.steady_ms),
            self.probe.line().what
        )
    }
}

impl Meaning for ShiftTraffic {
    /// What was done by an earlier attempt is found again by its mark, and gone on from.
    fn class(&self) -> Class {
        Class::Converge
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let each = match &self.switch {
            Switch::Backend { stages, .. } if stages.len() > 1 => "each ",
            _ => "",
        };
        let guard = self.guard.as_ref();
        let guard = guard.map_or_else(String::new, |guard| format!(", {each}{}", guard.words()));
        let what = format!("{}: {}{guard}", self.id, self.wanted());
        Line::new(Symbol::Change, &self.site, "traffic", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        rights(&self.site, &self.id)
    }

    fn late(&mut self) -> Vec<&mut Text> {
        self.guard
            .as_mut()
            .map_or_else(Vec::new, |guard| guard.probe.late())
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let mut notes = match enter(&self.site, &mut self.id, sandbox) {
            Confinement::Confined(notes) => notes,
            other => return other,
        };
        self.before = None;
        if let Some(guard) = &mut self.guard {
            match guard.probe.confine(sandbox) {
                Confinement::Confined(more) => notes.extend(more),
                other => return other,
            }
        }
        Confinement::Confined(notes)
    }
}

impl Meaning for ReturnTraffic {
    fn class(&self) -> Class {
        Class::Converge
    }

    fn site(&self) -> Option<&str> {
        Some(&self.site)
    }

    fn line(&self) -> Line {
        let to = self.before.as_ref().map_or_else(
            || "as the step has noted that it was".to_owned(),
            |before| format!("back to {before}"),
        );
        Line::new(
            Symbol::Change,
            &self.site,
            "traffic",
            format!("{}: {to}", self.id),
        )
    }

    fn permissions(&self) -> Vec<Permission> {
        rights(&self.site, &self.id)
    }

    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        let confinement = enter(&self.site, &mut self.id, sandbox);
        if matches!(confinement, Confinement::Confined(_)) {
            self.before = None;
        }
        confinement
    }
}

/// A drill has no routes: they would claim production's host names, so none is restored. Its Services are its own.
fn enter(site: &str, id: &mut ObjectId, sandbox: &Sandbox) -> Confinement {
    if site != sandbox.site {
        return sandbox.elsewhere(site);
    }
    if id.group() == ROUTE_GROUP {
        return Confinement::Skipped(
            "a drill makes no routes: they would claim production's host names or traffic".into(),
        );
    }
    match &mut id.namespace {
        Some(namespace) => sandbox.enter(site, namespace),
        None => Confinement::Untouched,
    }
}

fn rights(site: &str, id: &ObjectId) -> Vec<Permission> {
    // Routes are no built-in kind; their plural is as fixed as that of one.
    let resource = builtin(&id.kind).map_or_else(|| format!("{}s", id.kind.to_lowercase()), |api| api.plural);
    let right = |verb: &str| Permission {
        site: site.to_owned(),
        group: id.group().to_owned(),
        resource: resource.clone(),
        namespace: id.namespace.clone(),
        verb: verb.to_owned(),
    };
    ["get", "patch"].map(right).into()
}

//! What people have to know when a service is down, and no step can say: whom to call, when to decide,
//! when it is over. The recovery itself does not depend on any of it.

use std::collections::BTreeMap;

/// The human part of a runbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continuity {
    /// Who has approved the plan.
    pub approved: Option<Approval>,
    /// For how long a proof by a drill or a real recovery is good, in milliseconds.
    pub proof_ms: Option<u64>,
    /// How to reach somebody, by the name that `people` uses, or by any other name.
    pub contacts: BTreeMap<String, Contact>,
    /// When a failover is declared, and who decides.
    pub activation: Activation,
    /// When it is over.
    pub deactivation: Vec<String>,
    /// Who is told when it takes too long.
    pub escalation: Vec<Escalation>,
    /// Where copies of the plan lie that can be read when everything is down.
    pub copies: Vec<String>,
}

impl Continuity {
    /// A quarter: what boards ask for of services that matter, and short enough that the people who did
    /// the last one still remember it.
    pub const PROOF_MS: u64 = 90 * 24 * 60 * 60 * 1000;

    /// For how long a proof is good.
    pub fn proof_ms(&self) -> u64 {
        self.proof_ms.unwrap_or(Self::PROOF_MS)
    }
}

/// Who stands for the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Name and office.
    pub by: String,
    /// The day, as it was written.
    pub on: String,
}

/// How to reach a person or a company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// In full.
    pub name: Option<String>,
    /// By voice.
    pub phone: Option<String>,
    /// By mail.
    pub mail: Option<String>,
    /// Whatever else: hours, contract number.
    pub note: Option<String>,
    /// Whether it is another company.
    pub vendor: bool,
}

/// When a failover is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activation {
    /// Any of these is enough.
    pub criteria: Vec<String>,
    /// Roles of the people who may declare it.
    pub by: Vec<String>,
    /// The time for the decision, in milliseconds; it is a part of what customers wait.
    pub decide_within_ms: Option<u64>,
}

/// Somebody is told because it takes too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// From the declaration, in milliseconds.
    pub after_ms: u64,
    /// A role of `people` or a name of `contacts`.
    pub tell: String,
    /// What for.
    pub why: Option<String>,
}

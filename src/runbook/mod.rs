//! The language: what a runbook and a site inventory say, typed, each name with its place.
//!
//! This layer knows the shape of both documents and nothing about step kinds: a step's parameters
//! stay a [`crate::text::Node`] until [`crate::step`] reads them.

mod continuity;
pub(crate) mod form;
mod input;
mod load;
mod pins;
mod roles;
mod schedule;
mod sites;

pub use continuity::{Activation, Approval, Contact, Continuity, Escalation};
pub(crate) use load::outside_zones;
pub use load::{Loaded, load};
pub use pins::{PLAIN_HTTP, Pins, SYSTEM_AUTHORITIES, Said, SitePin, StorePin};
pub use roles::{ACTIVE, STANDBY, swapped};
pub use schedule::{Answers, BadCalendar, Calendar, DAYS, Scheduled, Window, between};
pub use sites::{
    Address, DnsEndpoint, DnsServer, Endpoint, JournalPlaces, KubernetesSite, Receiver, ReceiverEndpoint,
    Release, Rfc2136, S3Store, Sealing, Secret, Site, Sites, Store,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::{Node, Span, Spanned};

/// What a runbook is used for; each step says in which uses it takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Rehearse the recovery on the standby, inside walls, and remove every trace.
    Drill,
    /// Planned: the active side is there and is stopped first, nothing is lost.
    Switchover,
    /// In an incident: the active side may be gone.
    Failover,
    /// Back again: roles are swapped.
    Failback,
    /// Keep the standby able to take over: backups and copies.
    Protect,
}

/// Recoveries of production. A drill takes over from nobody.
pub const TAKEOVERS: [Mode; 3] = [Mode::Switchover, Mode::Failover, Mode::Failback];

impl Mode {
    /// All of them, in the order in which people meet them.
    pub const ALL: [Self; 5] = [
        Self::Drill,
        Self::Switchover,
        Self::Failover,
        Self::Failback,
        Self::Protect,
    ];

    /// The modes of a step that names none: every recovery. `protect` is always named.
    pub const DEFAULT: [Self; 4] = [Self::Drill, Self::Switchover, Self::Failover, Self::Failback];

    /// Whether it may begin by a schedule, where nobody is there to choose anything.
    pub const fn is_unattended(self) -> bool {
        matches!(self, Self::Drill | Self::Protect)
    }

    /// Whether it swaps roles: it leads to the side that an earlier recovery left.
    pub const fn goes_back(self) -> bool {
        matches!(self, Self::Failback)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drill => "drill",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Failback => "failback",
            Self::Protect => "protect",
        }
    }

    /// The letter for it in names of runs: its first; `failback` has `b`, because `failover` has `f`.
    pub const fn letter(self) -> char {
        match self {
            Self::Drill => 'd',
            Self::Switchover => 's',
            Self::Failover => 'f',
            Self::Failback => 'b',
            Self::Protect => 'p',
        }
    }

    /// The mode of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// One service's recovery.
#[derive(Clone, Debug, PartialEq)]
pub struct Runbook {
    /// `metadata.name`: a DNS label of at most [`Runbook::NAME_MAX`] characters.
    pub name: Spanned<String>,
    /// What people call the service.
    pub title: String,
    /// What it is, in one sentence a director understands.
    pub summary: Option<String>,
    /// 1 is what the company cannot live without.
    pub tier: Option<u8>,
    /// Who answers for it.
    pub owner: Option<Owner>,
    /// What recovery must achieve.
    pub objectives: Objectives,
    /// Role → site, as things stand today. `failback` swaps `active` and `standby`.
    pub roles: BTreeMap<String, Spanned<String>>,
    /// What may be given on the command line.
    pub inputs: BTreeMap<String, Input>,
    /// Role of a person → names.
    pub people: BTreeMap<String, Vec<String>>,
    /// Who may approve, besides what each step says.
    pub approvals: Approvals,
    /// What people have to know, and no step can say.
    pub continuity: Continuity,
    /// When it is used without a person; in the order in which it was written.
    pub schedule: Vec<Scheduled>,
    /// In the order in which they were written.
    pub steps: Vec<Step>,
    /// Hex SHA-256 of the file's bytes: was it changed since?
    pub digest: String,
    /// Hex SHA-256 of what the recovery depends on: steps, roles, inputs, who may answer. A new telephone
    /// number changes [`Runbook::digest`] and not this, so that it voids no proof.
    pub recovery: String,
    /// The folder of the file: relative paths in steps start here.
    pub folder: std::path::PathBuf,
}

impl Runbook {
    /// Leaves room in a namespace's 63 characters for `-drill-` and an id.
    pub const NAME_MAX: usize = 40;
    /// What checking and planning are measured with; the limits of a file are near as well.
    pub const STEPS_MAX: usize = 10_000;

    /// Whether there is a way back to where the service usually runs.
    pub fn goes_back(&self) -> bool {
        let mut modes = self.steps.iter().flat_map(|step| &step.modes);
        modes.any(|mode| mode.goes_back())
    }
}

/// What holds for every approval of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// Separation of duties (the four-eyes principle): whoever began or took up a run may neither approve it nor
    /// take a risk in it.
    pub not_initiator: bool,
}

impl Approvals {
    /// Whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who answers for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The team.
    pub team: String,
    /// How to reach it.
    pub contact: Option<String>,
}

/// What recovery must achieve, in milliseconds; absent where nobody has decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objectives {
    /// Recovery time objective.
    pub rto_ms: Option<u64>,
    /// Recovery point objective.
    pub rpo_ms: Option<u64>,
}

/// One typed input.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What kind of value.
    pub kind: InputKind,
    /// Used when none is given; without one the input is mandatory.
    pub default: Option<serde_json::Value>,
    /// Used instead in a drill and in a protection, which may begin without a person.
    pub unattended: Option<serde_json::Value>,
    /// Smallest whole number.
    pub minimum: Option<i64>,
    /// Largest whole number.
    pub maximum: Option<i64>,
    /// The only values allowed, if any are listed.
    pub choices: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// What kind of value an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// A whole number.
    Integer,
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
}

/// One step as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// A DNS label, unique in its runbook.
    pub name: Spanned<String>,
    /// One sentence for people.
    pub description: Option<String>,
    /// Steps that must have ended well first.
    pub needs: Vec<Spanned<String>>,
    /// It runs at the end, however the run went.
    pub finally: bool,
    /// In which uses it takes part.
    pub modes: Vec<Mode>,
    /// The key that names its kind.
    pub kind: Spanned<String>,
    /// The value under that key.
    pub params: Node,
    /// How often, how long, and then what.
    pub policy: Policy,
    /// What a drill does with it.
    pub drill: InDrill,
    /// What happens with it when its site does not answer while planning.
    pub ungraceful: Ungraceful,
}

/// What a drill does with a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InDrill {
    /// Draw walls around it, or refuse.
    #[default]
    Confine,
    /// Leave it out.
    Skip,
    /// The author says that it harms nobody. Only for steps that change nothing.
    AsIs,
}

/// What happens with a step when its site does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ungraceful {
    /// Planning fails: unreachable is not the same as down.
    #[default]
    Refuse,
    /// It is left out, and the plan says so.
    Skip,
}

/// How often, how long, and then what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// For the whole step, all attempts together, in milliseconds.
    pub timeout_ms: u64,
    /// How often each effect is tried at most; 1: once.
    pub attempts: u32,
    /// Before the second attempt, in milliseconds; doubles each time up to [`Policy::BACKOFF_MAX_MS`].
    pub backoff_ms: u64,
    /// When all of that was not enough.
    pub on_failure: OnFailure,
}

impl Policy {
    /// Long enough for an image pull or a slow apply, short enough to be noticed in an incident.
    pub const TIMEOUT_MS: u64 = 10 * 60 * 1000;
    /// Three: one lost packet and one restart of a server are ordinary.
    pub const ATTEMPTS: u32 = 3;
    /// Longer than a leader election takes to answer again.
    pub const BACKOFF_MS: u64 = 2_000;
    /// More than this between attempts looks like hanging.
    pub const BACKOFF_MAX_MS: u64 = 60_000;
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout_ms: Self::TIMEOUT_MS,
            attempts: Self::ATTEMPTS,
            backoff_ms: Self::BACKOFF_MS,
            on_failure: OnFailure::default(),
        }
    }
}

/// What a step's failure means for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Finish what runs, start nothing new, wait for a person. In a disaster, unwinding half a
    /// failover is rarely wanted.
    #[default]
    Pause,
    /// Finish what runs, then end the run as failed.
    Stop,
    /// Undo what was done, newest first, then end the run as failed.
    Undo,
    /// Go on as if it had worked; the report says so.
    Continue,
}

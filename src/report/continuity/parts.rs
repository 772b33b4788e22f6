//! What only people can write, and where each piece of it stands.

use std::collections::BTreeMap;

use crate::text::closest;

/// A piece of prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file's name without `.md`.
    pub name: &'static str,
    /// Where it stands.
    pub section: &'static str,
    /// Whether a plan without it is not whole.
    pub required: bool,
    /// What it should say.
    pub asks: &'static str,
}

const fn part(name: &'static str, section: &'static str, required: bool, asks: &'static str) -> Part {
    Part {
        name,
        section,
        required,
        asks,
    }
}

/// Every piece, in the order of the plan.
#[rustfmt::skip]
pub const PARTS: &[Part] = &[
    part("background", "1.1 Background", true, "Why this plan exists, and what the service means to the company."),
    part("scope", "1.2 Scope", false, "What is covered, and what is left to other plans."),
    part("assumptions", "1.3 Assumptions", true, "What has to be true for this plan to work."),
    part("system", "2.1 System description", true, "What the service is made of, and how data flows through it."),
    part("notification", "3.2 Notification", true, "Who is told, by which channel, in which words."),
    part("assessment", "3.3 Outage assessment", true, "How to find out what is broken, and whether this plan is the answer."),
    part("escalation", "4.3 Escalation", false, "What is said when it takes too long."),
    part("concurrent", "5.1 Concurrent processing", true, "Whether old and new run side by side for a while, and what keeps them apart."),
    part("validation", "5.2 Validation of data", true, "Which data is checked after a recovery, and what the right values are."),
    part("declaration", "5.4 Recovery declaration", false, "Who says that the service is back."),
    part("users", "5.5 Notification of users", true, "What users are told when the service is back, and what they should look at."),
    part("cleanup", "5.6 Cleanup", true, "What has to be taken away or put back when it is over."),
    part("offsite", "5.7 Offsite storage", false, "What is kept elsewhere, and how it comes back."),
    part("documentation", "5.9 Event documentation", false, "Where notes of the event are kept."),
    part("alternate", "D Alternate processing", true, "How the work goes on while the service is down."),
    part("telecommunications", "F Alternate site and telecommunications", true, "How people and customers reach the other site: names, addresses, lines."),
    part("diagrams", "G Diagrams", false, "Further drawings, as text or links."),
    part("interconnections", "I Interconnections", true, "Which other systems it needs, and which need it."),
    part("associated", "K Associated plans", false, "Plans and procedures that go with this one."),
    part("impact", "L Business impact", true, "What an hour, a day and a week without the service cost."),
];

/// What people wrote beside a runbook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prose {
    /// The folder, as people know it: `playbooks/shop/plan`.
    pub folder: String,
    /// Name of a part → Markdown.
    pub parts: BTreeMap<String, String>,
    /// Name of a step → Markdown, from the folder `steps` in it.
    pub steps: BTreeMap<String, String>,
    /// Files that stand for no part and no step, as paths below the folder.
    pub strangers: Vec<String>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<String>,
}

impl Prose {
    /// Where a part is or would be.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}.md", self.folder)
    }
}

/// Files that nobody would ever read.
pub(super) fn strangers(prose: &Prose) -> Vec<String> {
    let stranger = |file: &String| {
        let name = file.trim_end_matches(".md");
        let near = closest(name, PARTS.iter().map(|part| part.name));
        let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}.md?"));
        format!(
            "Prose: {}/{file} stands for no part of the plan and is not in it.{hint}",
            prose.folder
        )
    };
    let unreadable = prose.unreadable.iter().map(|why| format!("Prose: {why}."));
    prose.strangers.iter().map(stranger).chain(unreadable).collect()
}

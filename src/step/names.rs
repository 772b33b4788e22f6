//! What the names in a step stand for: `${…}` references, roles, stores, people.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Kind;
use crate::runbook::{Runbook, Sites, Step};
use crate::text::{
    Diagnostic, Diagnostics, Hooks, Piece, Reference, Resolve, Resolved, Span, Spanned, bad_name, codes,
    is_name, quote,
};

/// What references begin with.
const ROOTS: [&str; 6] = ["inputs", "roles", "sites", "namespaces", "steps", "runbook"];

/// How many steps are compared with a name that no step has: enough for every runbook of a person, and a
/// file of nothing but mistakes has to end.
const COMPARED_MAX: usize = 2_000;

/// Everything that names can stand for, apart from the step that names it.
pub(super) struct Names<'a> {
    pub(super) runbook: &'a Runbook,
    pub(super) sites: &'a Sites,
    pub(super) roles: &'a BTreeMap<String, String>,
    pub(super) inputs: &'a BTreeMap<String, Value>,
    pub(super) kinds: BTreeMap<&'a str, &'a Kind>,
    /// The place of the first step of each name. Its order is never shown.
    steps: HashMap<&'a str, usize>,
    /// Places of steps, sorted by their names, to compare an unknown name with; made when the first is found.
    compared: OnceCell<Vec<usize>>,
    /// For each step the places of those that it needs; made when it is first asked for.
    needs: OnceCell<Vec<Vec<usize>>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(
        runbook: &'a Runbook,
        sites: &'a Sites,
        roles: &'a BTreeMap<String, String>,
        inputs: &'a BTreeMap<String, Value>,
        kinds: &'a [Kind],
    ) -> Self {
        // Backwards, because of several values of one key the last is kept.
        let backwards = runbook.steps.iter().enumerate().rev();
        let steps = backwards.map(|(at, step)| (step.name.value.as_str(), at));
        Self {
            runbook,
            sites,
            roles,
            inputs,
            kinds: kinds.iter().map(|kind| (kind.name, kind)).collect(),
            steps: steps.collect(),
            compared: OnceCell::new(),
            needs: OnceCell::new(),
        }
    }

    /// For each step of the runbook, whether one of `steps` needs it, directly or through others.
    pub(super) fn come_before<'s>(&self, steps: impl IntoIterator<Item = &'s Step>) -> Vec<bool> {
        let needs = self.needs.get_or_init(|| {
            let steps = self.runbook.steps.iter();
            steps.map(|step| self.needs_of(step).collect()).collect()
        });
        let mut before = vec![false; needs.len()];
        let mut open: Vec<usize> = steps.into_iter().flat_map(|step| self.needs_of(step)).collect();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut before[at], true) {
                open.extend(&needs[at]);
            }
        }
        before
    }

    /// The place of the first step of this name among the runbook's.
    pub(super) fn place(&self, step: &str) -> Option<usize> {
        self.steps.get(step).copied()
    }

    fn compared(&self) -> impl Iterator<Item = &str> {
        let name = |at: usize| self.runbook.steps[at].name.value.as_str();
        let places = self.compared.get_or_init(|| {
            let mut places: Vec<usize> = self.steps.values().copied().collect();
            places.sort_unstable_by_key(|&at| name(at));
            places.truncate(COMPARED_MAX);
            places
        });
        places.iter().map(move |&at| name(at))
    }

    fn needs_of(&self, step: &Step) -> impl Iterator<Item = usize> {
        let needs = step.needs.iter();
        needs.filter_map(|need| self.place(&need.value))
    }

    fn input(&self, name: &str, span: Span) -> Result<Resolved, Diagnostic> {
        if let Some(value) = self.inputs.get(name) {
            return Ok(Resolved::Early(value.clone()));
        }
        if self.runbook.inputs.contains_key(name) {
            let message = format!("the input {} has no value", quote(name));
            let diagnostic = Diagnostic::error(codes::BAD_INPUT, message, span, "used here");
            return Err(diagnostic.help(format!("give it: {name}=…")));
        }
        Err(unknown("input", name, span, self.runbook.inputs.keys()))
    }

    fn role(&self, name: &str, span: Span) -> Result<Resolved, Diagnostic> {
        match self.roles.get(name) {
            Some(site) => Ok(Resolved::Early(site.as_str().into())),
            None => Err(unknown("role", name, span, self.roles.keys())),
        }
    }

    fn site_value(&self, place: &str, name: &str, span: Span) -> Result<Resolved, Diagnostic> {
        let site = self.roles.get(place).map_or(place, String::as_str);
        let Some(site) = self.sites.sites.get(site) else {
            let known = self.roles.keys().chain(self.sites.sites.keys());
            return Err(unknown("role or site", place, span, known));
        };
        if let Some(value) = site.values.get(name) {
            return Ok(Resolved::Early(value.as_str().into()));
        }
        let what = format!("value in the site of {}:", quote(place));
        Err(unknown(&what, name, span, site.values.keys()))
    }

    fn output(&self, user: &Step, step: &str, name: &str, span: Span) -> Result<Resolved, Diagnostic> {
        let Some(at) = self.place(step) else {
            return Err(unknown("step", step, span, self.compared()));
        };
        let source = &self.runbook.steps[at];
        let kind = self.kinds.get(source.kind.value.as_str());
        if let Some(kind) = kind.filter(|kind| !kind.outputs.contains(&name)) {
            return Err(unknown_output(step, kind, name, span));
        }
        // Most outputs are of a step that is needed directly.
        let direct = user.needs.iter().any(|need| need.value == step);
        if !direct && !self.come_before([user])[at] {
            let message = format!("step {} does not need {}", quote(&user.name.value), quote(step));
            let diagnostic =
                Diagnostic::error(codes::OUTPUT_NOT_BEFORE, message, span, "may not be there yet");
            return Err(diagnostic.help(format!("add {step} to its `needs`")));
        }
        Ok(Resolved::Late(Piece::Output {
            step: step.to_owned(),
            name: name.to_owned(),
        }))
    }
}

fn unknown_output(step: &str, kind: &Kind, name: &str, span: Span) -> Diagnostic {
    let message = format!(
        "step {} ({}) has no output {}",
        quote(step),
        kind.name,
        quote(name)
    );
    let diagnostic = Diagnostic::error(codes::UNKNOWN_OUTPUT, message, span, "no such output");
    match kind.outputs {
        [] => diagnostic.help(format!("steps of the kind {} have no outputs", quote(kind.name))),
        known => diagnostic.meant(name, known),
    }
}

fn unknown(
    what: &str,
    name: &str,
    span: Span,
    known: impl IntoIterator<Item = impl AsRef<str>>,
) -> Diagnostic {
    let known: Vec<_> = known.into_iter().collect();
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let message = format!("there is no {what} {}", quote(name));
    let code = codes::UNKNOWN_REFERENCE;
    let diagnostic = Diagnostic::error(code, message, span, "stands for nothing");
    match known.as_slice() {
        [] => diagnostic.help(format!("there is no {what} at all")),
        _ => diagnostic.meant(name, &known),
    }
}

/// Names as one step sees them.
pub(super) struct InStep<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) step: &'a Step,
}

impl Resolve for InStep<'_> {
    fn resolve(&self, reference: &Spanned<Reference>) -> Result<Resolved, Diagnostic> {
        let span = reference.span;
        let path: Vec<&str> = reference.value.0.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["inputs", name] => self.names.input(name, span),
            ["roles", name] => self.names.role(name, span),
            ["sites", place, name] => self.names.site_value(place, name, span),
            ["namespaces", name] if is_name(name) => Ok(Resolved::Late(Piece::Namespace((*name).to_owned()))),
            ["namespaces", name] => Err(bad_name(name, span)),
            ["steps", step, name] => self.names.output(self.step, step, name, span),
            ["runbook", "name"] => Ok(Resolved::Early(self.names.runbook.name.value.as_str().into())),
            _ => Err(unknown_path(&reference.value, span)),
        }
    }
}

fn unknown_path(reference: &Reference, span: Span) -> Diagnostic {
    let message = format!("{} stands for nothing", quote(&reference.to_string()));
    let diagnostic = Diagnostic::error(codes::UNKNOWN_REFERENCE, message, span, "unknown reference");
    let root = reference.0.first().map_or("", String::as_str);
    let form = |root: &str| match root {
        "sites" => "sites.<role or site>.<value>".to_owned(),
        "steps" => "steps.<step>.<output>".to_owned(),
        "runbook" => "runbook.name".to_owned(),
        root => format!("{root}.<name>"),
    };
    if ROOTS.contains(&root) {
        return diagnostic.help(format!("write it like `${{{}}}`", form(root)));
    }
    diagnostic.meant(root, &ROOTS)
}

impl Hooks for InStep<'_> {
    fn scalar(&self, format: &str, text: &str, span: Span, found: &mut Diagnostics) -> Option<String> {
        match format {
            "role" => return self.site_of_role(text, span, found),
            "store" => {
                let kind = ("stores", "store", codes::UNKNOWN_STORE);
                Self::check_listed(kind, &self.names.sites.stores, (text, span), found);
            }
            "dns-server" => {
                let kind = ("dns", "DNS server", codes::UNKNOWN_DNS);
                Self::check_listed(kind, &self.names.sites.dns, (text, span), found);
            }
            "receiver" => {
                let kind = ("notify", "receiver", codes::UNKNOWN_RECEIVER);
                Self::check_listed(kind, &self.names.sites.notify, (text, span), found);
            }
            "namespace" if !is_name(text) => found.push(bad_name(text, span)),
            "person" => self.check_person(text, span, found),
            "proof" => self.check_proof(text, span, found),
            _ => {}
        }
        None
    }
}

impl InStep<'_> {
    fn site_of_role(&self, text: &str, span: Span, found: &mut Diagnostics) -> Option<String> {
        if let Some(site) = self.names.roles.get(text) {
            return Some(site.clone());
        }
        found.push(if self.names.sites.sites.contains_key(text) {
            self.site_not_role(text, span)
        } else {
            let message = format!("there is no role {}", quote(text));
            let known: Vec<&str> = self.names.roles.keys().map(String::as_str).collect();
            let diagnostic = Diagnostic::error(codes::UNKNOWN_ROLE, message, span, "no site has this role");
            match known.as_slice() {
                [] => diagnostic.help("the runbook has no `roles`"),
                _ => diagnostic.meant(text, &known),
            }
        });
        None
    }

    fn site_not_role(&self, site: &str, span: Span) -> Diagnostic {
        let message = format!("{} is a site, not a role", quote(site));
        let diagnostic = Diagnostic::error(codes::SITE_NOT_ROLE, message, span, "name a role");
        // As written today, not as bound: the hint must not change with the mode.
        let mut roles = self.names.runbook.roles.iter();
        match roles.find(|(_, holder)| holder.value == site) {
            Some((role, _)) => diagnostic.help(format!("write {}, the role it has today", quote(role))),
            None => diagnostic.help("no role has this site; give it one in `roles`"),
        }
    }

    /// A name of something that the inventory lists: under which key, what it is called, and the code where it is not there.
    fn check_listed<T>(
        (key, what, code): (&str, &str, &'static str),
        listed: &BTreeMap<String, T>,
        (text, span): (&str, Span),
        found: &mut Diagnostics,
    ) {
        if !listed.contains_key(text) {
            let message = format!("there is no {what} {}", quote(text));
            let known: Vec<&str> = listed.keys().map(String::as_str).collect();
            let diagnostic = Diagnostic::error(code, message, span, "not in the inventory");
            found.push(match known.as_slice() {
                [] => diagnostic.help(format!("the inventory has no `{key}`")),
                _ => diagnostic.meant(text, &known),
            });
        }
    }

    fn check_proof(&self, step: &str, span: Span, found: &mut Diagnostics) {
        let proof = crate::effect::Receipt::PROOF;
        if let Err(diagnostic) = self.names.output(self.step, step, proof, span) {
            found.push(diagnostic);
        }
    }

    fn check_person(&self, text: &str, span: Span, found: &mut Diagnostics) {
        let people = &self.names.runbook.people;
        if !people.contains_key(text) {
            let message = format!("nobody is named for {}", quote(text));
            let known = people.keys().map(String::as_str);
            let diagnostic = Diagnostic::warning(codes::UNKNOWN_PERSON, message, span, "not in `people`");
            found.push(diagnostic.near(text, known));
        }
    }
}

//! Values of inputs: as they are given on a command line, and whether a declaration admits them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Input, InputKind, Mode, Runbook};
use crate::text::{Diagnostic, Diagnostics, codes, quote};

impl InputKind {
    /// The kind of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "integer" => Some(Self::Integer),
            "string" => Some(Self::String),
            "boolean" => Some(Self::Boolean),
            _ => None,
        }
    }

    /// What a person calls a value of this kind.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Integer => "a whole number",
            Self::String => "a string",
            Self::Boolean => "`true` or `false`",
        }
    }
}

impl Input {
    /// Whether a value is allowed.
    ///
    /// # Errors
    ///
    /// Why not, as the rest of a sentence: `is too small: at least 1`.
    pub fn admits(&self, value: &Value) -> Result<(), String> {
        let fits = match self.kind {
            InputKind::Integer => value.as_i64().is_some(),
            InputKind::String => value.is_string(),
            InputKind::Boolean => value.is_boolean(),
        };
        if !fits {
            return Err(format!("is not {}", self.kind.noun()));
        }
        let number = value.as_i64();
        if let Some((least, _)) = self.minimum.zip(number).filter(|(least, number)| number < least) {
            return Err(format!("is too small: at least {least}"));
        }
        if let Some((most, _)) = self.maximum.zip(number).filter(|(most, number)| number > most) {
            return Err(format!("is too large: at most {most}"));
        }
        let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if !self.choices.is_empty() && !self.choices.contains(&written) {
            return Err(format!("is not one of {}", self.choices.join(", ")));
        }
        Ok(())
    }

    /// A value of this kind from text.
    fn parse(&self, text: &str) -> Value {
        let parsed = match self.kind {
            InputKind::Integer => text.parse::<i64>().ok().map(Value::from),
            InputKind::Boolean => text.parse::<bool>().ok().map(Value::from),
            InputKind::String => None,
        };
        parsed.unwrap_or_else(|| text.into())
    }

    /// What is used in such a run when none is given.
    pub fn fallback(&self, mode: Mode) -> Option<&Value> {
        let unattended = self.unattended.as_ref().filter(|_| mode.is_unattended());
        unattended.or(self.default.as_ref())
    }

    /// Some value that is allowed.
    fn sample(&self) -> Value {
        if let Some(value) = self.default.as_ref().or(self.unattended.as_ref()) {
            return value.clone();
        }
        match (self.choices.first(), self.kind) {
            (Some(choice), _) => self.parse(choice),
            (None, InputKind::Integer) => self.minimum.or(self.maximum).unwrap_or(1).into(),
            (None, InputKind::String) => "sample".into(),
            (None, InputKind::Boolean) => false.into(),
        }
    }
}

impl Runbook {
    /// The value of every input in such a run: what was given, else what is used instead.
    ///
    /// # Errors
    ///
    /// Every input without a value or with one that is not allowed, at its declaration, and every name
    /// that was given and is no input.
    pub fn input_values(
        &self,
        given: &BTreeMap<String, String>,
        mode: Mode,
    ) -> Result<BTreeMap<String, Value>, Diagnostics> {
        let mut found = Diagnostics::default();
        for name in given.keys().filter(|name| !self.inputs.contains_key(*name)) {
            let message = format!("the runbook has no input {}", quote(name));
            let diagnostic =
                Diagnostic::error(codes::BAD_INPUT, message, self.name.span, "not in this runbook");
            let known: Vec<&str> = self.inputs.keys().map(String::as_str).collect();
            found.push(diagnostic.meant(name, &known));
        }
        let mut values = BTreeMap::new();
        for (name, input) in &self.inputs {
            let value = given
                .get(name)
                .map(|text| input.parse(text))
                .or_else(|| input.fallback(mode).cloned());
            match value.ok_or("has no value".to_owned()).and_then(|value| {
                input.admits(&value)?;
                Ok(value)
            }) {
                Ok(value) => _ = values.insert(name.clone(), value),
                Err(why) => found.push(bad_input(name, input, &why)),
            }
        }
        if found.is_empty() { Ok(values) } else { Err(found) }
    }

    /// A value for every input, made up where there is no default: for checking a runbook, never for
    /// planning a run.
    pub fn sample_inputs(&self) -> BTreeMap<String, Value> {
        let sample = |(name, input): (&String, &Input)| (name.clone(), input.sample());
        self.inputs.iter().map(sample).collect()
    }

    /// The value of every input as a paper shows it: its default, and `<name>` for a text that has to be given.
    pub fn shown_inputs(&self) -> BTreeMap<String, Value> {
        let shown = |(name, input): (&String, &Input)| {
            let value = match (&input.default, input.kind) {
                (None, InputKind::String) => format!("<{name}>").into(),
                _ => input.sample(),
            };
            (name.clone(), value)
        };
        self.inputs.iter().map(shown).collect()
    }
}

fn bad_input(name: &str, input: &Input, why: &str) -> Diagnostic {
    let message = format!("the input {} {why}", quote(name));
    let diagnostic = Diagnostic::error(codes::BAD_INPUT, message, input.span, "declared here")
        .help(format!("give it: --input {name}=…"));
    match &input.description {
        Some(text) => diagnostic.help(text.as_str()),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::load;
    use crate::text::Sources;

    fn values(given: &[(&str, &str)]) -> Result<BTreeMap<String, Value>, String> {
        values_in(Mode::Failover, given)
    }

    fn values_in(mode: Mode, given: &[(&str, &str)]) -> Result<BTreeMap<String, Value>, String> {
        let mut sources = Sources::default();
        let id = sources.add(
            "r.yaml",
            "apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Shop
  inputs:
    replicas: { type: integer, default: 3, minimum: 1, maximum: 9 }
    zone: { type: string, choices: [a, b], unattended: b }
    warm: { type: boolean, default: false }
  steps:
    - name: settle
      pause: { for: 1s, reason: test }
",
        );
        let runbook = load(&sources, &[id], &["pause"]).runbook.unwrap();
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        runbook.input_values(&given, mode).map_err(|found| {
            let messages: Vec<_> = found.iter().map(|one| one.message.clone()).collect();
            messages.join("; ")
        })
    }

    #[test]
    fn given_values_win_over_defaults_and_have_their_types() {
        let values = values(&[("replicas", "5"), ("zone", "b"), ("warm", "true")]).unwrap();
        assert_eq!(values["replicas"], 5);
        assert_eq!(values["zone"], "b");
        assert_eq!(values["warm"], true);
    }

    #[test]
    fn what_a_person_has_to_choose_is_chosen_beforehand_only_where_nobody_is_there() {
        for mode in Mode::ALL {
            let zone = values_in(mode, &[]).map(|values| values["zone"].clone());
            match mode {
                Mode::Drill | Mode::Protect => assert_eq!(zone.unwrap(), "b", "{mode}"),
                _ => assert_eq!(zone.unwrap_err(), "the input `zone` has no value", "{mode}"),
            }
            assert_eq!(values_in(mode, &[("zone", "a")]).unwrap()["zone"], "a");
        }
    }

    #[test]
    fn every_wrong_input_is_named_at_once() {
        insta::assert_snapshot!(
            values(&[("replicas", "0"), ("warm", "yes"), ("zoen", "a")]).unwrap_err(),
            @"the runbook has no input `zoen`; the input `replicas` is too small: at least 1; the input `warm` is not `true` or `false`; the input `zone` has no value"
        );
    }
}

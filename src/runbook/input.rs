//! Values of inputs: whether a declaration admits one, and one that it does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Input, InputKind, Runbook};

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
    fn read(&self, text: &str) -> Value {
        let parsed = match self.kind {
            InputKind::Integer => text.parse::<i64>().ok().map(Value::from),
            InputKind::Boolean => text.parse::<bool>().ok().map(Value::from),
            InputKind::String => None,
        };
        parsed.unwrap_or_else(|| text.into())
    }

    /// Some value that is allowed.
    fn sample(&self) -> Value {
        if let Some(default) = &self.default {
            return default.clone();
        }
        match (self.choices.first(), self.kind) {
            (Some(choice), _) => self.read(choice),
            (None, InputKind::Integer) => self.minimum.or(self.maximum).unwrap_or(1).into(),
            (None, InputKind::String) => "sample".into(),
            (None, InputKind::Boolean) => false.into(),
        }
    }
}

impl Runbook {
    /// A value for every input, made up where there is no default: for checking a runbook, never for
    /// planning a run.
    pub fn sample_inputs(&self) -> BTreeMap<String, Value> {
        let sample = |(name, input): (&String, &Input)| (name.clone(), input.sample());
        self.inputs.iter().map(sample).collect()
    }
}

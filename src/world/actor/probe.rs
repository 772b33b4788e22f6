//! Performs [`Probe`]. It never fails because of an answer: the step's deadline does.

use std::time::Duration;

use super::World;
use super::pace::rest;
use crate::effect::{Attempt, ErrorKind, HttpExpect, Probe, Receipt, Target, WorldError};
use crate::text::{Millis, Text};

/// As much of a wrong answer as fits into a line.
const QUOTED: usize = 60;

impl World {
    pub(super) async fn probe(&self, effect: &Probe, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let wanted = effect.successes.max(1);
        let (mut good, mut looks) = (0, 0);
        loop {
            looks += 1;
            match self.look_once(effect).await? {
                Ok(()) => good += 1,
                Err(why) => {
                    good = 0;
                    (attempt.progress)(format!("{why} (look {looks})"));
                }
            }
            if good >= wanted {
                break;
            }
            if good > 0 {
                (attempt.progress)(format!("{good} of {wanted} good answers in a row"));
            }
            rest(effect.interval_ms).await;
        }
        Ok(Receipt {
            summary: format!("{good} good answers in a row, {looks} looks"),
            ..Receipt::default()
        })
    }

    /// One look within its time; the inner error says why the answer was no good one.
    pub(super) async fn look_once(&self, effect: &Probe) -> Result<Result<(), String>, WorldError> {
        let address = known(effect.target.address())?;
        let limit = Duration::from_millis(effect.look_timeout_ms);
        let look = async {
            match &effect.target {
                Target::Http { expect, .. } => self.ask(&address, expect).await,
                Target::Tcp { .. } => self
                    .web
                    .connect(&address)
                    .await
                    .map_err(|error| error.to_string()),
            }
        };
        let within = tokio::time::timeout(limit, look).await;
        Ok(within.unwrap_or_else(|_| {
            let limit = Millis(effect.look_timeout_ms);
            Err(format!("{address}: no answer within {limit}"))
        }))
    }

    async fn ask(&self, url: &str, expect: &HttpExpect) -> Result<(), String> {
        let page = self.web.get(url).await.map_err(|error| error.to_string())?;
        if page.status != expect.status {
            let body = quoted(&page.body);
            return Err(format!(
                "{url}: {} instead of {}{body}",
                page.status, expect.status
            ));
        }
        match &expect.body {
            Some(wanted) if !page.body.contains(wanted) => {
                let body = quoted(&page.body);
                Err(format!("{url}: {} without \"{wanted}\"{body}", page.status))
            }
            _ => Ok(()),
        }
    }
}

/// The first line of a body, for people.
pub(in crate::world) fn quoted(body: &str) -> String {
    let line: String = body
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|one| !one.is_control())
        .take(QUOTED)
        .collect();
    if line.is_empty() {
        String::new()
    } else {
        format!(": {line}")
    }
}

pub(super) fn known(text: &Text) -> Result<String, WorldError> {
    text.as_known().ok_or_else(|| {
        let message = format!("{text} was not filled in before it was performed");
        WorldError::new(ErrorKind::Internal, "probe", message)
    })
}

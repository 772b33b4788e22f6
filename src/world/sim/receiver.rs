//! A receiver in memory: it keeps what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use super::Pace;
use super::fault::Faults;
use crate::effect::WorldError;
use crate::world::port::{Answer, Notice, Receiver};

/// A receiver in memory. Clones are the same one.
#[derive(Clone, Debug)]
pub struct SimReceiver {
    name: String,
    pace: Pace,
    faults: Faults,
    told: Arc<Mutex<Vec<Notice>>>,
}

impl SimReceiver {
    pub(super) fn new(name: &str, pace: Pace, faults: Faults) -> Self {
        Self {
            name: name.to_owned(),
            pace,
            faults,
            told: Arc::default(),
        }
    }

    /// One who has heard the same, and goes his own way from here.
    pub(super) fn fork(&self, faults: Faults) -> Self {
        Self {
            faults,
            told: Arc::new(Mutex::new(self.told())),
            ..self.clone()
        }
    }

    /// Everything that has arrived, in order, repeats included.
    pub fn told(&self) -> Vec<Notice> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn request(&self, verb: &str, arrives: impl FnOnce() + Send) -> Result<(), WorldError> {
        self.pace.request().await;
        let fault = self.faults.meet(&self.name, verb, "");
        if fault.is_none_or(super::fault::FaultError::commits) {
            arrives();
        }
        fault.map_or(Ok(()), |fault| Err(fault.error(&self.name)))
    }
}

impl Receiver for SimReceiver {
    fn tell<'a>(&'a self, notice: &'a Notice) -> Answer<'a, ()> {
        Box::pin(self.request("tell", || {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(notice.clone());
        }))
    }

    fn knows_repeats(&self) -> bool {
        true
    }

    fn check(&self) -> Answer<'_, String> {
        Box::pin(async move {
            self.request("check", || {}).await?;
            Ok("embedded in this process: nobody hears it".to_owned())
        })
    }
}

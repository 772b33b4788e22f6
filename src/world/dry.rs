//! A cluster, a DNS server and a receiver that look and ask, and change and tell nothing: what a rehearsal is given instead
//! of real ones.

use std::sync::Arc;

use serde_json::Value;

use super::port::{
    Account, Acting, Answer, Applied, Cluster, Command, Executed, Listed, Listing, Names, Notice, Receiver,
    Right, Trial,
};
use crate::effect::{ErrorKind, NameSeen, Records, SiteSeen, WorldError};
use crate::objects::ApiKind;
use crate::text::DomainName;

/// Passes on what changes nothing; everything else is an error of ours, and is not sent.
pub(super) struct Dry(pub(super) Arc<dyn Cluster>);

fn never<'a, T: Send + 'a>(what: &'static str) -> Answer<'a, T> {
    let message = format!("a rehearsal tried to {what}, and did not");
    Box::pin(async move { Err(WorldError::new(ErrorKind::Internal, "rehearsal", message)) })
}

impl Cluster for Dry {
    fn authorities(&self) -> Vec<String> {
        self.0.authorities()
    }

    fn identity(&self) -> Answer<'_, SiteSeen> {
        self.0.identity()
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        self.0.discover()
    }

    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        self.0.list(kind, namespace)
    }

    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed> {
        self.0.page(listing, next)
    }

    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>> {
        self.0.get(kind, namespace, name)
    }

    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()> {
        self.0.check_create(kind, object)
    }

    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()> {
        self.0.check_change(kind, trial)
    }

    fn create<'a>(&'a self, _: &'a ApiKind, _: &'a Value) -> Answer<'a, Value> {
        never("create")
    }

    fn apply<'a>(&'a self, _: &'a ApiKind, _: &'a Value, _: bool) -> Answer<'a, Applied> {
        never("apply")
    }

    fn patch<'a>(
        &'a self,
        _: &'a ApiKind,
        _: Option<&'a str>,
        _: &'a str,
        _: Option<&'a str>,
        _: &'a Value,
    ) -> Answer<'a, Value> {
        never("patch")
    }

    fn run<'a>(&'a self, _: &'a Command<'a>) -> Answer<'a, Executed> {
        never("run a command")
    }

    fn delete_unchanged<'a>(
        &'a self,
        _: &'a ApiKind,
        _: Option<&'a str>,
        _: &'a str,
        _: &'a str,
        _: &'a str,
    ) -> Answer<'a, bool> {
        never("delete")
    }

    fn delete<'a>(&'a self, _: &'a ApiKind, _: Option<&'a str>, _: &'a str, _: &'a str) -> Answer<'a, bool> {
        never("delete")
    }

    fn act_as<'a>(&'a self, _: &'a Account<'a>) -> Answer<'a, Acting> {
        never("act as somebody else")
    }

    fn may<'a>(&'a self, right: &'a Right<'a>) -> Answer<'a, bool> {
        self.0.may(right)
    }
}

/// Passes on what changes nothing.
pub(super) struct DryNames(pub(super) Arc<dyn Names>);

impl Names for DryNames {
    fn look<'a>(&'a self, name: &'a DomainName) -> Answer<'a, Option<NameSeen>> {
        self.0.look(name)
    }

    fn check<'a>(&'a self, name: &'a DomainName, from: &'a Records, to: &'a Records) -> Answer<'a, ()> {
        self.0.check(name, from, to)
    }

    fn swap<'a>(&'a self, _: &'a DomainName, _: &'a Records, _: &'a Records) -> Answer<'a, ()> {
        never("change a domain name")
    }
}

/// Passes on what tells nobody anything.
pub(super) struct DryReceiver(pub(super) Arc<dyn Receiver>);

impl Receiver for DryReceiver {
    fn tell<'a>(&'a self, _: &'a Notice) -> Answer<'a, ()> {
        never("tell somebody")
    }

    fn knows_repeats(&self) -> bool {
        self.0.knows_repeats()
    }

    fn check(&self) -> Answer<'_, String> {
        self.0.check()
    }
}

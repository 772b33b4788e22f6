//! What tests of backups and restores begin with.

use std::collections::BTreeSet;

use super::*;
use crate::archive::Keys;
use crate::effect::{
    BackupName, BackupObjects, BackupSeen, ClusterScoped, Existing, RestoreObjects, RestorePreview, Selection,
};
use crate::objects::Roster;
use crate::text::Text;

pub(super) fn selection() -> Selection {
    Selection {
        namespaces: vec!["shop".into()],
        ..Selection::default()
    }
}

pub(super) fn backup() -> Effect {
    Effect::BackupObjects(BackupObjects {
        site: "east".into(),
        store: "vault".into(),
        name_prefix: "shop".into(),
        selection: selection(),
        lock: None,
    })
}

pub(super) fn plain(name: &str) -> RestoreObjects {
    RestoreObjects {
        site: "west".into(),
        store: "vault".into(),
        backup: Text::known(name),
        selection: selection(),
        existing: Existing::Keep,
        namespaces: Vec::new(),
        confined: false,
        prune_max: None,
        status: Vec::new(),
        shown: None,
        order: Vec::new(),
        cluster: ClusterScoped::None,
        allow: Vec::new(),
        changes: Box::default(),
    }
}

pub(super) fn confined(name: &str) -> RestoreObjects {
    RestoreObjects {
        confined: true,
        namespaces: sandbox().namespaces.into_iter().collect(),
        ..plain(name)
    }
}

pub(super) fn restore(effect: RestoreObjects) -> Effect {
    Effect::RestoreObjects(effect)
}

pub(super) async fn captured(stage: &Stage) -> String {
    pass(1000).await;
    stage.done("capture", backup()).await.outputs["backup"].clone()
}

pub(super) fn keys(name: &str) -> Keys {
    Keys::of(name).expect("a name")
}

/// The standby has what platform teams keep the same on both sites.
pub(super) fn with_platform(stage: Stage) -> Stage {
    let crd = shop()
        .into_iter()
        .find(|one| one["kind"] == "CustomResourceDefinition")
        .expect("a definition");
    stage.west().seed([&crd]).expect("seeded");
    stage
}

pub(super) fn uids(made: &Roster) -> BTreeSet<&str> {
    made.uids().collect()
}

pub(super) async fn seen(stage: &Stage, backup: BackupName) -> Option<BackupSeen> {
    let query = Query::Backup {
        store: "vault".into(),
        backup,
        namespaces: vec!["shop".into()],
    };
    match stage.read(query).await {
        Seen::Backup(found) => found,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn preview(stage: &Stage, effect: RestoreObjects) -> RestorePreview {
    shown(&stage.world, effect).await
}

/// What a world shows of a restore.
pub(super) async fn shown(world: &World, effect: RestoreObjects) -> RestorePreview {
    match world
        .read(&Query::Restore(Box::new(effect)))
        .await
        .expect("answered")
    {
        Seen::Restore(preview) => std::sync::Arc::unwrap_or_clone(preview),
        other => panic!("{other:?}"),
    }
}

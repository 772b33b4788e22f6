//! From runbooks on a disk to continuity plans on it: a hundred services of twenty steps, as a person calls
//! the command.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::Criterion;

/// How many runbooks.
const SERVICES: usize = 100;

/// How many steps each has: two thousand together.
const STEPS: usize = 20;

/// Plans as HTML and Markdown, without earlier runs and with one drill of each service.
pub(crate) fn measure(criterion: &mut Criterion) {
    let temp = tempfile::tempdir().unwrap();
    let runbooks = lay_out(temp.path());
    let mut group = criterion.benchmark_group("plans of 100 services");
    group.sample_size(10);
    group.bench_function("without history", |bencher| {
        bencher.iter(|| write(temp.path(), &runbooks));
    });
    for runbook in &runbooks {
        lifeboat(temp.path(), &["protect", runbook.to_str().unwrap()]);
        lifeboat(temp.path(), &["drill", runbook.to_str().unwrap()]);
    }
    group.bench_function("with 200 runs", |bencher| {
        bencher.iter(|| write(temp.path(), &runbooks));
    });
    group.finish();
}

fn write(folder: &Path, runbooks: &[PathBuf]) {
    let runbooks = runbooks.iter().map(|path| path.to_str().unwrap());
    let args: Vec<&str> = ["docs", "plan"].into_iter().chain(runbooks).collect();
    lifeboat(folder, &args);
}

fn lifeboat(folder: &Path, args: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["--plain", "--state"])
        .arg(folder.join("state"))
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The runbooks' files.
fn lay_out(folder: &Path) -> Vec<PathBuf> {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/shop");
    for file in ["sites.yaml", "platform.yaml", "app.yaml"] {
        std::fs::copy(shop.join(file), folder.join(file)).unwrap();
    }
    std::fs::create_dir_all(folder.join("vault")).unwrap();
    (0..SERVICES).map(|service| one(folder, service)).collect()
}

fn one(folder: &Path, service: usize) -> PathBuf {
    let mut text = format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {{ name: service-{service} }}\nspec:\n  \
         title: Service {service}\n  owner: {{ team: commerce }}\n  objectives: {{ rto: 30m, rpo: 15m }}\n  \
         roles: {{ active: east, standby: west }}\n  steps:\n    \
         - {{ name: capture, modes: [protect], backup: {{ site: active, namespaces: [shop], to: vault }} }}\n    \
         - {{ name: stop-active, fence: {{ site: active, namespaces: [shop] }} }}\n    \
         - {{ name: restore, needs: [stop-active], restore: {{ site: standby, from: vault, namespaces: [shop] }} }}\n"
    );
    for step in 2..STEPS - 1 {
        let before = if step == 2 {
            "restore".to_owned()
        } else {
            format!("step-{}", step - 1 - step % 3)
        };
        let before = if before == "step-1" || before == "step-0" {
            "restore"
        } else {
            &before
        };
        writeln!(
            text,
            "    - {{ name: step-{step}, needs: [{before}], wait: {{ site: standby, for: configmap/settings, namespace: shop, condition: exists }} }}"
        )
        .unwrap();
    }
    // Without a proof of health a drill measures no recovery time, and has missed it.
    writeln!(
        text,
        "    - {{ name: answers, needs: [restore], probe: {{ http: \"${{sites.standby.front}}/${{namespaces.shop}}/healthz\", \
         expect: {{ status: 200, body: ok }} }} }}"
    )
    .unwrap();
    let file = folder.join(format!("service-{service}.yaml"));
    std::fs::write(&file, text).unwrap();
    file
}

//! From a shell to the first word: a process is made, and has ended.

use std::process::Command;

use criterion::Criterion;

/// `lifeboat --version`, and a program that does nothing, for comparison.
pub(crate) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    for (name, program) in [
        ("lifeboat --version", env!("CARGO_BIN_EXE_lifeboat")),
        ("true --version, for comparison", "true"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let output = Command::new(program).arg("--version").output().unwrap();
                assert!(output.status.success());
            });
        });
    }
    group.finish();
}

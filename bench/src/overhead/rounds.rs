//! Measures every proxy under every load, one after another in each round.

use std::time::Duration;

use mainpoint_tests::usage;

use super::arm::Arm;
use super::bodies::Size;
use super::load::{Counted, Load, LoadTool};
use super::report::{Cell, Measured, Results};
use super::streams::{PATIENCE, read_all};
use super::targets::Target;
use super::{Plan, Stage, destination};
use crate::BenchError;
use crate::progress::bar;

pub(super) async fn measure(plan: &Plan, stage: &Stage) -> Result<Results, BenchError> {
    let tool = LoadTool::prepare()?;
    let mut results = Results { absent: stage.absent.clone(), ..Results::default() };
    for target in &stage.targets {
        results.versions.insert(target.arm, target.version.clone());
        results.resident.insert(target.arm, (target.resident_mib(), 0.0));
        // Long enough for programs that compile themselves as they run.
        let load = Load { size: Size::Small, connections: 16, seconds: 1 };
        send(&tool, target, load).await?;
        settle(target).await;
    }
    let steps = plan.rounds * (plan.cells().count() + 1) * stage.targets.len();
    let bar = bar("Measuring", steps);
    let client = destination::client(plan.streams.length() + PATIENCE)?;
    for _ in 0..plan.rounds {
        for (size, connections) in plan.cells() {
            for target in &stage.targets {
                let load = Load { size, connections, seconds: plan.seconds };
                let measured = send(&tool, target, load).await?;
                let arm = target.arm;
                let cell = Cell { size, connections, arm };
                results.cells.entry(cell).or_default().push(measured);
                settle(target).await;
                bar.inc(1);
            }
        }
        for target in &stage.targets {
            let read = read_all(&client, &target.destination, plan.streams).await;
            if let Some(seen) = spare_others(target.arm, read)? {
                results.streams.entry(target.arm).or_default().add(seen);
            }
            settle(target).await;
            bar.inc(1);
        }
    }
    for target in &stage.targets {
        if let Some((_, after)) = results.resident.get_mut(&target.arm) {
            *after = target.resident_mib();
        }
    }
    Ok(results)
}

async fn send(tool: &LoadTool, target: &Target, load: Load) -> Result<Measured, BenchError> {
    if let Some(id) = target.process() {
        usage::forget_peaks(id);
    }
    let before = target.process().map(usage::of_tree);
    let counted = spare_others(target.arm, tool.send(&target.destination, load).await)?;
    let after = target.process().map(usage::of_tree);
    let pair = before.zip(after);
    Ok(Measured {
        counted: counted.unwrap_or(Counted { failures: 1.0, ..Counted::default() }),
        processor_us: pair.map(|(before, after)| after.processor_us - before.processor_us),
        peak_mib: after.map(|usage| usage.peak_mib),
    })
}

/// A proxy of others that fails is said and left out; a failure of our own ends the benchmark.
fn spare_others<T>(arm: Arm, outcome: Result<T, BenchError>) -> Result<Option<T>, BenchError> {
    match (arm, outcome) {
        (_, Ok(value)) => Ok(Some(value)),
        (Arm::Direct | Arm::Mainpoint | Arm::Memory, Err(error)) => Err(error),
        (_, Err(error)) => {
            anstream::eprintln!("{}: {}", arm.name(), error.with_causes());
            Ok(None)
        }
    }
}

/// Waits until the proxy has finished with requests that were cut off, so that the next one has the machine.
async fn settle(target: &Target) {
    const LOOKS: usize = 100;
    const PAUSE: Duration = Duration::from_millis(100);
    /// A tenth of a core.
    const IDLE_US: f64 = 10_000.0;
    let Some(id) = target.process() else { return };
    let mut before = usage::of_tree(id).processor_us;
    for _ in 0..LOOKS {
        tokio::time::sleep(PAUSE).await;
        let now = usage::of_tree(id).processor_us;
        if now - before <= IDLE_US {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_of_others_are_spared() {
        let failure = || Err::<(), _>(BenchError::new("no"));
        assert!(spare_others(Arm::LiteLlm, failure()).is_ok_and(|value| value.is_none()));
        assert!(spare_others(Arm::Mainpoint, failure()).is_err());
        assert!(spare_others(Arm::Direct, Ok(())).is_ok_and(|value| value.is_some()));
    }
}

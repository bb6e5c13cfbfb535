//! Whether an import that was interrupted lost, repeated or started over anything, by what its later runs say.
//!
//! It must not know how they were run.

use super::history::Extent;
use super::importing::Summary;

/// Every turn of the history is in the store exactly once, and `resumed` went on where the run before it was killed; `again`
/// is a run after it, with nothing left to do.
///
/// # Errors
/// In words, what is not so.
pub(super) fn once(extent: &Extent, resumed: &Summary, again: &Summary) -> Result<(), String> {
    let offered = resumed.turns + resumed.turns_known + resumed.turns_unreadable;
    if offered != extent.turns {
        return Err(format!("it found {offered} turns in a history of {}", extent.turns));
    }
    if resumed.turns_known == 0 {
        return Err("it started over: nothing of the run that was killed was in memory".to_owned());
    }
    let kept = extent.turns.saturating_sub(again.turns_unreadable);
    if (again.turns, again.turns_known) != (0, kept) {
        return Err(format!(
            "a run with nothing left to do read {} turns and knew {} of {kept}",
            again.turns, again.turns_known
        ));
    }
    if again.turns_stored != kept {
        return Err(format!("the store has {} turns instead of {kept}", again.turns_stored));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(turns: usize, turns_known: usize, turns_stored: usize) -> Summary {
        Summary {
            turns,
            turns_known,
            turns_stored,
            ..Summary::default()
        }
    }

    #[test]
    fn a_lost_a_repeated_and_a_started_over_turn_are_noticed() {
        let extent = Extent {
            turns: 10,
            ..Extent::default()
        };
        let check = |resumed: Summary, again: Summary| once(&extent, &resumed, &again).err().unwrap_or_default();
        assert_eq!(check(said(6, 4, 10), said(0, 10, 10)), "");
        assert!(check(said(6, 3, 9), said(0, 9, 9)).contains("9 turns in a history of 10"));
        assert!(check(said(10, 0, 10), said(0, 10, 10)).contains("started over"));
        assert!(check(said(6, 4, 10), said(1, 9, 10)).contains("read 1 turns"));
        assert!(check(said(6, 4, 11), said(0, 10, 11)).contains("11 turns instead of 10"));
    }

    #[test]
    fn turns_that_cannot_be_read_are_not_missed() {
        let extent = Extent {
            turns: 10,
            ..Extent::default()
        };
        let (mut resumed, mut again) = (said(5, 4, 9), said(0, 9, 9));
        (resumed.turns_unreadable, again.turns_unreadable) = (1, 1);
        assert_eq!(once(&extent, &resumed, &again), Ok(()));
    }
}

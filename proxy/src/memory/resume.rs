//! Puts turns that were accepted and never read back into the order in which they were said.
//!
//! It must not read or store anything.

use super::job::Job;
use mainpoint_store::Turn;

/// One job for each stretch of consecutive turns of a conversation's branch.
pub(super) fn jobs(mut unread: Vec<Turn>) -> Vec<Job> {
    unread.sort_by(|a, b| {
        let key = |turn: &Turn| {
            (
                turn.scope.as_str().to_owned(),
                turn.conversation,
                turn.position,
                turn.id,
            )
        };
        key(a).cmp(&key(b))
    });
    let mut jobs: Vec<Job> = Vec::new();
    for turn in unread {
        let follows = |job: &Job| {
            job.scope == turn.scope && turn.parent.is_some() && job.turns.last().map(|last| last.id) == turn.parent
        };
        let wanted = turn.id;
        match jobs.iter_mut().rev().take(BRANCHES).find(|job| follows(job)) {
            Some(job) => {
                job.turns.push(turn);
                job.wanted.insert(wanted);
            }
            None => {
                jobs.push(Job {
                    scope: turn.scope.clone(),
                    turns: vec![turn],
                    wanted: [wanted].into(),
                });
            }
        }
    }
    jobs
}

/// How many branches of one conversation are told apart; a turn of any further branch is a stretch of its own.
const BRANCHES: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::job::tests::turn;
    use super::*;

    #[test]
    fn a_fork_becomes_two_stretches_in_the_order_said() {
        let jobs = jobs(vec![
            turn(3, Some(1), 1),
            turn(2, Some(1), 1),
            turn(1, None, 1),
            turn(4, Some(2), 1),
        ]);
        let order: Vec<Vec<u32>> = jobs
            .iter()
            .map(|job| job.turns.iter().map(|turn| turn.position).collect())
            .collect();
        assert_eq!(order, [vec![1, 2, 4], vec![3]]);
        assert!(jobs.iter().all(|job| job.wanted.len() == job.turns.len()));
    }
}

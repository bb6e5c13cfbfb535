//! Masks secrets in turns before anything keeps them: of requests, replies, imports and migrations alike.
//!
//! A turn keeps its name, which its words had before: else nobody who brings it again would find it.

use std::sync::Arc;

use mainpoint_store::Turn;

use crate::error::MemoryError;
use crate::memory::secrets::Masker;
use crate::telemetry::metrics;

/// Turns as they are to be stored. Long ones are looked through where nobody waits.
///
/// # Errors
/// When the thread that looks through them ends abnormally; they must not be stored then.
pub(super) async fn masked(masker: &Arc<Masker>, mut turns: Vec<Turn>) -> Result<Vec<Turn>, MemoryError> {
    let bytes: usize = turns.iter().map(|turn| turn.text.len()).sum();
    let masker = Arc::clone(masker);
    let work = move || {
        turns.iter_mut().for_each(|turn| mask(&masker, turn));
        turns
    };
    Ok(if bytes < LARGE { work() } else { tokio::task::spawn_blocking(work).await? })
}

fn mask(masker: &Masker, turn: &mut Turn) {
    let found = masker.mask(&turn.text);
    if found.kinds.is_empty() {
        return;
    }
    for kind in found.kinds {
        metrics::masked_secret(kind.label());
    }
    turn.text = found.text.into_owned();
}

/// Texts of so many bytes in all take longer than another task should wait.
const LARGE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;
    use crate::config::MemoryConfig;
    use crate::memory::turns_for_tests::turn;

    #[tokio::test]
    async fn a_turn_keeps_all_but_its_secret_however_long_it_is() {
        let masker = Arc::new(Masker::new(&MemoryConfig::default()).unwrap());
        let secret = ["ghp", "_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
        let long = "word ".repeat(LARGE);
        let turns = vec![turn(0, "no secret"), turn(1, &format!("{long}{secret}."))];
        for turns in [turns.clone(), vec![Turn { text: secret.clone(), ..turns[1].clone() }]] {
            let stored = masked(&masker, turns.clone()).await.unwrap();
            for (before, after) in turns.iter().zip(&stored) {
                let expected = Turn { text: before.text.replace(&secret, "[secret: github]"), ..before.clone() };
                assert_eq!(*after, expected);
            }
        }
    }
}

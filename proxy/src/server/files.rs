//! How many files the process may open, and how many connections that is.

use super::connection_table::RESERVE;

/// Raises the limit of open files as far as the system lets it, and gives the number of connections that fit under it: `most`,
/// or fewer, with a warning.
pub(crate) fn provide(most: usize) -> usize {
    let limit = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(error = %error, "the limit of open files is not known");
            return most;
        }
    };
    let fit = fitting(limit, most);
    if fit < most {
        tracing::warn!(
            "server.max_connections = {most} may need {} open files, one for each client, one for its upstream and \
             {OWN} for the memory; the limit (RLIMIT_NOFILE) is {limit}, so {fit} connections are taken. Raise the \
             limit (ulimit -n, LimitNOFILE=) or lower server.max_connections",
            needed(most)
        );
    }
    fit
}

/// Files of the store, the models, the log and the listening socket.
const OWN: usize = 384;

/// Each connection may need one to the upstream; those of the reserve are told no or asked about the process's health.
fn needed(connections: usize) -> usize {
    connections.saturating_mul(2).saturating_add(RESERVE + OWN)
}

fn fitting(limit: u64, most: usize) -> usize {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let fit = limit.saturating_sub(RESERVE + OWN) / 2;
    fit.clamp(1, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_are_taken_as_fit_and_never_none() {
        assert_eq!(fitting(u64::MAX, 1024), 1024);
        assert_eq!(fitting(needed(1024) as u64, 1024), 1024);
        assert!(fitting(needed(1024) as u64 - 2, 1024) < 1024);
        assert_eq!(fitting(1024, 1024), 288);
        assert_eq!(fitting(100, 1024), 1);
    }
}

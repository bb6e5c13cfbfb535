//! What a process and its descendants have used: processor time and memory, as the kernel counts them in `/proc`.
//!
//! Where there is no `/proc` everything is 0.

use std::path::Path;

/// What a tree of processes has used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor time since each process began, in microseconds, in steps of 10,000.
    pub processor_us: f64,
    /// Memory now, in MiB, added up over the processes; pages that they share count for each.
    pub resident_mib: f64,
    /// The largest memory since the start or since [`forget_peaks`], in MiB, added up over the processes.
    pub peak_mib: f64,
}

/// What the process `root` and its descendants have used.
#[must_use]
pub fn of_tree(root: u32) -> Usage {
    let mut usage = Usage::default();
    for process in tree(root, &all()) {
        usage.processor_us += process.ticks * MICROSECONDS_PER_TICK;
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id)).unwrap_or_default();
        usage.resident_mib += mebibytes(&status, "VmRSS:");
        usage.peak_mib += mebibytes(&status, "VmHWM:");
    }
    usage
}

/// Lets the peaks of the process `root` and its descendants begin anew, where the kernel allows it.
pub fn forget_peaks(root: u32) {
    for process in tree(root, &all()) {
        // Where this is forbidden the peak remains that since the start, which is an upper bound.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", process.id), "5");
    }
}

/// What a process has open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenFiles {
    /// Sockets of any kind.
    pub sockets: usize,
    /// Everything else: files, pipes, what the kernel waits on for it.
    pub others: usize,
}

/// What the process has open now.
#[must_use]
pub fn open_files(process: u32) -> OpenFiles {
    let entries = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut open = OpenFiles::default();
    // What is closed meanwhile leads nowhere any more.
    for target in entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()) {
        let is_socket = target.to_string_lossy().starts_with("socket:");
        *(if is_socket { &mut open.sockets } else { &mut open.others }) += 1;
    }
    open
}

/// The threads that the process has now, by their numbers, with their names.
#[must_use]
pub fn threads(process: u32) -> Vec<(u32, String)> {
    let entries = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, name.trim().to_owned()))
    });
    named.collect()
}

/// What `/proc/…/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Process {
    id: u32,
    parent: u32,
    /// Processor time of its own and of its children that have ended.
    ticks: f64,
}

/// Linux tells programs times in hundredths of a second on every architecture that mainpoint is built for.
const MICROSECONDS_PER_TICK: f64 = 10_000.0;

fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| read(&entry.path())).collect()
}

fn read(directory: &Path) -> Option<Process> {
    // Only the directories of processes have a number for a name.
    directory.file_name()?.to_str()?.parse::<u32>().ok()?;
    parse(&std::fs::read_to_string(directory.join("stat")).ok()?)
}

/// The second field is the program's name in parentheses and may hold spaces and parentheses itself.
fn parse(stat: &str) -> Option<Process> {
    const PARENT: usize = 1;
    const TIMES: std::ops::Range<usize> = 11..15;
    let (head, tail) = stat.rsplit_once(')')?;
    let (id, _) = head.split_once(' ')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let times = fields.get(TIMES)?.iter();
    let ticks: f64 = times.filter_map(|field| field.parse::<u32>().ok()).map(f64::from).sum();
    Some(Process { id: id.parse().ok()?, parent: fields.get(PARENT)?.parse().ok()?, ticks })
}

/// The process `root` and its descendants.
fn tree(root: u32, all: &[Process]) -> Vec<Process> {
    let mut found: Vec<Process> = all.iter().filter(|process| process.id == root).copied().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        let children = all.iter().filter(|process| process.parent == parent);
        let new: Vec<Process> =
            children.filter(|child| found.iter().all(|known| known.id != child.id)).copied().collect();
        found.extend(new);
        next += 1;
    }
    found
}

/// The value behind `key`, which the kernel gives in KiB.
fn mebibytes(status: &str, key: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    f64::from(number.unwrap_or(0)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 0 1 2 3 4 100 20 3 1 20 0 1 0 99";
        let expected = Process { id: 42, parent: 7, ticks: 124.0 };
        assert_eq!(parse(stat), Some(expected));
        assert_eq!(parse("42 (a) S 7"), None);
    }

    #[test]
    fn a_tree_holds_children_and_grandchildren_and_nobody_else() {
        let process = |id, parent| Process { id, parent, ticks: 1.0 };
        let all = [process(1, 0), process(5, 1), process(7, 6), process(6, 5), process(8, 1)];
        let ids: Vec<u32> = tree(5, &all).iter().map(|process| process.id).collect();
        assert_eq!(ids, [5, 6, 7]);
        assert!(tree(99, &all).is_empty());
    }

    #[test]
    fn memory_is_told_in_mebibytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert!((mebibytes(status, "VmHWM:") - 2.0).abs() < 1e-9);
        assert!(mebibytes(status, "VmSwap:") < 1e-9);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        let usage = of_tree(std::process::id());
        assert!(usage.resident_mib > 0.0 && usage.peak_mib >= usage.resident_mib * 0.5);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sockets_are_told_from_other_files_and_threads_have_their_names() {
        let (before, listener) = (open_files(std::process::id()), std::net::TcpListener::bind("127.0.0.1:0"));
        let _file = std::fs::File::open("/proc/self/stat").expect("a file");
        let after = open_files(std::process::id());
        assert!(listener.is_ok() && after.sockets > before.sockets && after.others > before.others);
        let own = std::thread::current().name().unwrap_or_default().to_owned();
        assert!(threads(std::process::id()).iter().any(|(_, name)| !name.is_empty() && own.starts_with(name)));
    }
}

//! Requests made after public bug reports of proxies and memories: each is sent, read, and sent again, and comes out right.
//!
//! The second time the prompt should lose its old turns. It must not know how prompts are made; the inputs lie in the directory of
//! data, and where there are none, the tests fail.

mod compressed;
mod odd_messages;
mod pasted_blocks;
mod quoted_lines;
mod stage;
mod system_notes;
mod tool_pairs;
mod unreadable;

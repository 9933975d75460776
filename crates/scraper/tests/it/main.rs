//! The program from outside: commands, servers that misbehave, and kills.

mod embed;
mod fetch;
mod hub;
mod inspect;
mod model;
mod run;
mod server;
mod support;
mod tiny;

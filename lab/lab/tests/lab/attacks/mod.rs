//! Every attack and bad request, done to A and to B as real processes: what they answer, and what becomes of the connection.

mod answers;
mod command;
mod field;
mod rows;

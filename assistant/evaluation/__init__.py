"""Methods held against each other on a file of people, in a child process that holds torch; resumable."""

"""What is answered when somebody asks why: bridges, histories, replays and tie-outs, read from the warehouse as it stands."""

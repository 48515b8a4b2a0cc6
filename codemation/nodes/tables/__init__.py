"""What the nodes on tables do, in Arrow. Imported when one of them is called, because pyarrow takes its time."""

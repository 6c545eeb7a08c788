"""Where the doctor's facts come from, a file for each part of the world. They read and change nothing."""

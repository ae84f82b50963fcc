"""What the tests share: real server processes, raw connections to them, and a board to meet at."""

"""Values as JSON, exactly; and what stands for those that JSON does not have."""

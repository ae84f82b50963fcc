"""Values as JSON, exactly; and substitutes for values of types that JSON does not have."""

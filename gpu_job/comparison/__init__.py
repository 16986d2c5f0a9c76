"""How near a student's dance is to a teacher's: when, how, limb by limb."""

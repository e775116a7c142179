"""What many people's answers to one question say: skills, online odds, stopping, and the nightly account.

An answer is one of `mlcore.consensus.answers.skill.Answer`; a subject either shows a crater or shows none.
"""
